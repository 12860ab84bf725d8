"""`model/verdict.py`: verdicts are values; what `swath verify` makes of them is tested there."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from swath.model.verdict import FileChange, OutDifference, Verdict, VerdictKind


def test_every_kind_is_known_to_readers_of_json() -> None:
    assert get_args(VerdictKind) == ("same", "differs", "failed", "skipped")
    assert get_args(FileChange) == ("changed", "added", "missing")


def test_verdicts_of_equal_findings_are_equal() -> None:
    one, other = (Verdict("a", "differs", outs=(OutDifference("m", "1", "2", (("f", "added"),)),)) for _ in "12")
    assert one == other
    assert hash(one) == hash(other)
    assert one != Verdict("a", "differs", outs=(OutDifference("m", "1", "2"),))


def test_a_verdict_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Verdict("a", "same").kind = "failed"  # type: ignore[misc]
