"""`errors.py`: texts and exit codes."""

from __future__ import annotations

import errno
import os

import pytest

from swath import errors
from swath.errors import Finding, FindingsError, Place, StageFailedError, SwathError, UserError, fault_of_system


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
        "SwathError": 3, "UserError": 1, "DeniedError": 1, "NoGitError": 1, "FindingsError": 1, "UsageError": 2, "StageFailedError": 4,
        "PassingFaultError": 75, "InterruptedRunError": 130,
    }  # fmt: skip


def test_all_errors_have_one_base() -> None:
    assert all(issubclass(e, SwathError) for name, e in vars(errors).items() if name.endswith("Error"))


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (errno.ENOSPC, 75, "a: No space left on device\n  free some space there, then do the same again"),
        (
            errno.EROFS,
            1,
            "a: Read-only file system\n  check who owns the file, and the permissions of the folders above it",
        ),
        (errno.EISDIR, 1, "a: Is a directory\n  something else stands at the place of a file or folder: move it away"),
    ],
)
def test_what_the_system_says_of_files_is_no_bug(number: int, code: int, text: str) -> None:
    fault = fault_of_system(OSError(number, os.strerror(number), "a"))
    assert fault is not None
    assert (fault.exit_code, str(fault)) == (code, text)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EBADF])
def test_what_else_the_system_says_is_one(number: int) -> None:
    assert fault_of_system(OSError(number, os.strerror(number), "a")) is None
