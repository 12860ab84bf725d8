"""`emit/yaml.py`: any document comes back as itself, and its text is one a person can read."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from swath.emit.yaml import Flow, FlowMap, to_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=4))
def test_any_document_comes_back(document: dict[str, object]) -> None:
    assert yaml.safe_load(to_yaml(document)) == document


def test_the_form() -> None:
    shared = ["x"]
    document = {
        "job": {
            "needs": [FlowMap(job="a", artifacts=False)],
            "tags": Flow(["gpu", "a b"]),
            "script": ["first\nsecond\n", "one"],
            "again": shared,
            "more": shared,
        },
        "on": "yes",
    }
    assert to_yaml(document) == (
        "job:\n"
        "  needs:\n"
        "    - {job: a, artifacts: false}\n"
        "  tags: [gpu, a b]\n"
        "  script:\n"
        "    - |\n      first\n      second\n"
        "    - one\n"
        "  again:\n    - x\n"
        "  more:\n    - x\n"
        "\n"
        "'on': 'yes'\n"
    )
