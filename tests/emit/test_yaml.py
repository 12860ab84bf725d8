"""`emit/yaml.py`: any document comes back as itself, and its text is one a person can read."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import ruamel.yaml
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swath.emit.yaml import Flow, FlowMap, to_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


# What one parser or another takes for something else than a text, or stumbles over.
WORDS = """
yes no on off y n ~ null Null true TRUE nil undefined = << ... --- ? | > - % @ ` ! & * # {} [] '' " \\ .. . / ::
1 1.5 1e3 1_000 1,000 1,000.5 -1,0 .5 -.5 5. -1 +1 0x1F 0o7 017 0b11 08 1__0 _1 1_ 1, 1,00 0,0 12e03 685.230_15e+03
1:30 1:30:45 12:30:45.5 00:00 1:60 99:99 2024-01-01 2024-01-01T10:00:00Z +.inf .inf -.inf .NaN NaN 1e 0x 1.2.3 1-2
"""
HOSTILE = [
    *WORDS.split(),
    *(":sym", ":'a b'", ':"x"', "sym:", "a: b", "- a", "a #b", "? a", "!!str x", "!reference [a, b]", "!ruby/object:Object"),
    *("$X", "$(x)", "${x}", "`x`", "", " ", "\t", "a\tb", " a", "a ", "\n", "a\nb", "a\n", "\na", "a\n\nb\n", "a\n\n", " \na\n"),
    *("\r", "a\r\nb", "\x07", "\x7f", "\x85", "\u2028", "\ufeff", "é", "😀", "x" * 300, "#x", "&a", "*a", "{a}", "[a]"),
]  # fmt: skip
PLACES = {
    "values": {f"k{number}": word for number, word in enumerate(HOSTILE)},
    "keys": dict.fromkeys(HOSTILE, "v"),
    "list": {"l": HOSTILE},
    "short list": {"l": Flow(HOSTILE)},
    "short mapping": {"m": FlowMap({word: word for word in HOSTILE})},
}
RUBY = """
require 'psych'; require 'json'; require 'date'
puts JSON.dump(Psych.safe_load(STDIN.read, permitted_classes: [Symbol, Date, Time]))
"""


@pytest.mark.parametrize("place", PLACES)
def test_hostile_texts_come_back_whoever_reads_them(place: str) -> None:
    text = to_yaml(PLACES[place])
    assert yaml.safe_load(text) == PLACES[place]
    assert ruamel.yaml.YAML(typ="safe", pure=True).load(text) == PLACES[place]
    if shutil.which("ruby"):  # GitLab's own reader
        said = subprocess.run(["ruby", "-e", RUBY], input=text.encode(), capture_output=True, check=True).stdout
        assert json.loads(said) == PLACES[place]


@pytest.mark.parametrize("word", [":sym", "1,000", "-1,0", "1,00", "-.5", "00:00", "0o7", "1:30", "2024-01-01"])
def test_what_ruby_alone_takes_for_a_symbol_a_number_or_a_time_is_quoted(word: str) -> None:
    assert to_yaml({"a": word}) == f"a: '{word}'\n"
    assert to_yaml({word: "a"}) == f"'{word}': a\n"


@pytest.mark.parametrize("word", ["10m", "2h 5m", "gpu", ".swath/", "-ffdx -e .dvc/cache", "$CI_X/a:1", "depend"])
def test_what_all_take_for_a_text_is_not(word: str) -> None:
    assert to_yaml({"a": word}) == f"a: {word}\n"


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=4))
@example({"a": "\n", "b": "x"})
@example({"a": ["b\n\n"], "c": 1})
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
