"""`dvc_border/patience.py`: work that fails and stalls for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from swath.dvc_border.patience import Patience, try_patiently
from swath.errors import InterruptedRunError, PassingFaultError, UserError


def attempt(
    work: Callable[[int], Any], items: int = 5, *, stall_s: float = 5, pauses: int = 2, **more: Any
) -> list[Any]:
    options: dict[str, Any] = {
        "jobs": 3,
        "patience": Patience(stall_s, (0.01,) * pauses),
        "is_lasting": lambda error: isinstance(error, PermissionError),
        "begin_again": lambda: None,
        "as_ours": lambda error: PassingFaultError(str(error)),
        **more,
    }
    return try_patiently(range(items), lambda item, _: work(item), **options)


def test_results_come_in_the_order_of_the_items() -> None:
    assert attempt(lambda item: time.sleep(0.01 * (5 - item)) or item) == [0, 1, 2, 3, 4]
    assert attempt(lambda item: item, 0) == []


def test_only_what_failed_is_tried_again() -> None:
    calls: list[int] = []
    again: list[int] = []

    def work(item: int) -> int:
        calls.append(item)
        if item == 3 and calls.count(3) < 3:
            raise OSError("for now")
        return item

    assert attempt(work, begin_again=lambda: again.append(1)) == [0, 1, 2, 3, 4]
    assert (sorted(calls), again) == ([0, 1, 2, 3, 3, 3, 4], [1, 1])


def test_what_lasts_is_not_tried_again() -> None:
    calls: list[int] = []

    def work(item: int) -> None:
        calls.append(item)
        raise PermissionError("no")

    with pytest.raises(PassingFaultError, match="no"):
        attempt(work, 1)
    assert calls == [0]


def test_errors_of_ours_pass_as_they_are() -> None:
    def work(_: int) -> None:
        raise UserError("mine")

    with pytest.raises(UserError, match="mine"):
        attempt(work, 1)


def test_work_that_hangs_is_given_up_and_tried_again() -> None:
    never, first = threading.Event(), threading.Event()

    def work(item: int) -> int:
        if item == 1 and not first.is_set():
            first.set()
            never.wait(20)
        return item

    assert attempt(work, stall_s=0.2) == [0, 1, 2, 3, 4]
    never.set()


def test_a_pause_ends_when_it_is_stopped() -> None:
    stop = threading.Event()
    stop.set()

    def work(_: int) -> None:
        raise OSError("down")

    with pytest.raises(InterruptedRunError):
        attempt(work, 1, patience=Patience(5, (60.0,)), stop=stop)
