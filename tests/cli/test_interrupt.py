"""`cli/interrupt.py`: real signals to this process, and to one of our own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from swath.cli.interrupt import interruptible

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Each signal raises outside of a block; afterwards all is as it was."""

    def outside(number: int, _frame: object) -> None:
        raise RuntimeError(f"signal {number} outside")

    old = {number: signal.signal(number, outside) for number in SIGNALS}
    yield
    for number, handler in old.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_sets_the_event_and_nothing_else(number: signal.Signals) -> None:
    stop = threading.Event()
    with interruptible(stop):
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.is_set()
        os.kill(os.getpid(), number)  # the second does not kill either


@pytest.mark.parametrize("number", SIGNALS)
def test_behind_the_block_the_handlers_are_the_old_ones(number: signal.Signals) -> None:
    stop = threading.Event()
    with pytest.raises(KeyError), interruptible(stop):
        raise KeyError("the work failed")
    with pytest.raises(RuntimeError, match=f"signal {number.value} outside"):
        os.kill(os.getpid(), number)
    assert not stop.is_set()


def test_blocks_inside_blocks_tell_the_inner_one() -> None:
    outer, inner = threading.Event(), threading.Event()
    with interruptible(outer):
        with interruptible(inner):
            os.kill(os.getpid(), signal.SIGTERM)
        assert (outer.is_set(), inner.is_set()) == (False, True)
        os.kill(os.getpid(), signal.SIGTERM)
        assert outer.is_set()


def test_under_nohup_a_closed_terminal_stops_nothing() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = threading.Event()
    with interruptible(stop):
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.is_set()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
