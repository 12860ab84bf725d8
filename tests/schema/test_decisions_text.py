"""`schema/decisions_text.py`: decisions as a word, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swath.errors import UserError
from swath.model.plan import DecisionKind
from swath.schema.decisions_text import decode, encode

KINDS: list[DecisionKind] = ["unchanged", "run", "restore"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(KINDS)))
def test_there_and_back(kinds: list[DecisionKind]) -> None:
    names = [f"s{number}" for number in range(len(kinds))]
    assert decode(encode(kinds), names) == dict(zip(names, kinds, strict=True))


def test_the_form() -> None:
    assert encode(["unchanged"] * 4930 + ["run"] * 12 + ["restore"] * 3) == "4930u12r3s"
    assert encode([]) == ""


@pytest.mark.parametrize("text", ["1", "u", "0u", "1x", "1u 1r", "1u;true", "-1u"])
def test_what_is_no_list_of_decisions(text: str) -> None:
    with pytest.raises(UserError) as error:
        decode(text, ["a"])
    assert str(error.value) == (
        f"SWATH_DECISIONS is not a list of decisions: {text!r}\n"
        "  the pipeline is another commit's, or another version of Swath made it: start a new pipeline"
    )


def test_another_number_of_stages() -> None:
    with pytest.raises(UserError, match="SWATH_DECISIONS says 3 stages, the workflows have 2"):
        decode("1u2r", ["a", "b"])
