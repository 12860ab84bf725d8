"""`dvc_border/translate.py`: DVC's exceptions as ours."""

from __future__ import annotations

import pytest
from dvc.exceptions import DvcException, OutputNotFoundError
from dvc.lock import LockError

from swath.dvc_border.translate import translated
from swath.errors import PassingFaultError, Place, UserError


def test_a_dvc_error_has_its_place_and_hint() -> None:
    with pytest.raises(UserError) as caught, translated(Place("a.dvc"), hint="dvc pull"):
        raise DvcException("it is wrong")
    assert str(caught.value) == "a.dvc: it is wrong\n  dvc pull"
    assert isinstance(caught.value.__cause__, DvcException)


def test_the_cause_is_told() -> None:
    with pytest.raises(UserError) as caught, translated():
        raise DvcException("it is wrong") from OSError("no disk")
    assert str(caught.value) == "it is wrong: no disk"


def test_a_subclass_is_translated_too() -> None:
    with pytest.raises(UserError) as caught, translated():
        raise OutputNotFoundError("out")
    assert str(caught.value) == "Unable to find DVC file with output 'out'"


def test_a_held_lock_is_a_passing_fault() -> None:
    with pytest.raises(PassingFaultError) as caught, translated():
        raise LockError("busy")
    assert str(caught.value) == "the DVC repository is locked by another process: busy"


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), translated():
        _ = 1 / 0
