"""`job/last_seconds.py`: the time after a stop, with real clocks."""

from __future__ import annotations

import threading
import time

import pytest

from swath import limits
from swath.job.last_seconds import last_seconds


def test_nothing_is_late_while_nobody_stops_the_job() -> None:
    with last_seconds(threading.Event(), 0.05) as late:
        assert not late.wait(0.5)


def test_it_is_late_a_certain_time_after_the_stop() -> None:
    stop = threading.Event()
    with last_seconds(stop, 0.4) as late:
        time.sleep(0.3)
        start = time.monotonic()
        stop.set()
        assert late.wait(5)
    assert 0.35 < time.monotonic() - start < 2


@pytest.mark.parametrize("is_stopped", [False, True])
def test_its_thread_ends_with_the_block(*, is_stopped: bool) -> None:
    stop, before = threading.Event(), threading.active_count()
    with last_seconds(stop, 60):
        if is_stopped:
            stop.set()
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.02)
    assert threading.active_count() == before


def test_a_service_ends_early_enough_for_what_it_leaves_to_be_saved() -> None:
    assert limits.SERVICE_STOP_S < limits.STOP_S - 2
