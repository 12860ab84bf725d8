"""`errors.py`: texts and exit codes."""

from __future__ import annotations

import pytest

from swath import errors
from swath.errors import Finding, FindingsError, Place, StageFailedError, SwathError, UserError


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("dvc.yaml"), "dvc.yaml"),
        (Place("dvc.yaml", 3), "dvc.yaml:3"),
        (Place("dvc.yaml", key="stages.a"), "dvc.yaml: stages.a"),
        (Place("a/dvc.yaml", 3, "stages.a.deps[0]"), "a/dvc.yaml:3: stages.a.deps[0]"),
    ],
)
def test_a_place_reads_as_editors_take_it(place: Place, text: str) -> None:
    assert str(place) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UserError("it is wrong"), "it is wrong"),
        (UserError("it is wrong", hint="do that"), "it is wrong\n  do that"),
        (UserError("it is wrong", place=Place("f", 1)), "f:1: it is wrong"),
        (UserError("it is wrong", place=Place("f", 1), hint="do that"), "f:1: it is wrong\n  do that"),
    ],
)
def test_a_message_says_where_and_what_next(error: UserError, text: str) -> None:
    assert str(error) == text


def test_findings_are_told_one_a_line() -> None:
    findings = [Finding(Place("a", 1), "rule", "first", "do that"), Finding(Place("b"), "rule", "second")]
    error = FindingsError(findings)
    assert str(error) == "a:1: first\n  do that\nb: second"
    assert error.findings == tuple(findings)


def test_findings_sort_by_place() -> None:
    late, early = Finding(Place("b", 1), "a", "x"), Finding(Place("a", 10), "z", "y")
    assert max([late, early, Finding(Place("a", 9), "z", "y")]) == late


def test_a_failure_carries_its_stages() -> None:
    assert StageFailedError("2 stages failed", ["a", "b"]).stages == ("a", "b")


def test_exit_codes_are_the_documented_ones() -> None:
    codes = {name: error.exit_code for name, error in vars(errors).items() if name.endswith("Error")}
    assert codes == {
        "SwathError": 3, "UserError": 1, "FindingsError": 1, "UsageError": 2, "StageFailedError": 4,
        "PassingFaultError": 75, "InterruptedRunError": 130,
    }  # fmt: skip


def test_all_errors_have_one_base() -> None:
    assert all(issubclass(e, SwathError) for name, e in vars(errors).items() if name.endswith("Error"))
