from __future__ import annotations

from swath.model.suggestion import did_you_mean, one_of


def test_a_near_word_is_guessed() -> None:
    assert did_you_mean("inptu", ["input", "output"], prefix="--") == "did you mean '--input'?"


def test_a_far_word_is_not() -> None:
    assert did_you_mean("xyz", ["input", "output"]) == ""


def test_what_there_is_keeps_its_order() -> None:
    assert one_of(["b", "a"], prefix="--") == "one of --b, --a"
