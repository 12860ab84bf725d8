"""`dvc_border/patience.py`: tries, lasting errors, stalls, stops; work that fails on purpose, in real threads."""

from __future__ import annotations

import errno
import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.dvc_border.patience import Patience, Pulse, is_no_space, try_patiently
from swath.errors import InterruptedRunError, PassingFaultError, SwathError, UserError

QUICK = Patience(stall_s=30, pauses_s=(0.0, 0.0))


class Far:
    """Fails as often as it is told to, for each item; counts everything.

    Args:
        faults: by item, what each further call raises; then it answers.
    """

    def __init__(self, **faults: list[Exception]) -> None:
        self.faults = faults
        self.calls: list[str] = []
        self.begun_again = 0
        self._lock = threading.Lock()

    def work(self, item: str, _pulse: Pulse) -> str:
        with self._lock:
            self.calls.append(item)
            if self.faults.get(item):
                raise self.faults[item].pop(0)
        return item.upper()

    def begin_again(self) -> None:
        self.begun_again += 1

    def do(self, *items: str, patience: Patience = QUICK, stop: threading.Event | None = None) -> list[str]:
        """Do it all, two at a time."""
        return try_patiently(
            items,
            self.work,
            jobs=2,
            patience=patience,
            is_lasting=lambda error: isinstance(error, PermissionError),
            begin_again=self.begin_again,
            as_ours=lambda error: PassingFaultError(f"ours: {error}"),
            stop=stop,
        )


@given(st.lists(st.sampled_from("abc"), max_size=9), st.integers(1, 9))
def test_results_come_in_the_order_of_the_items_each_done_once(items: list[str], jobs: int) -> None:
    count = itertools.count()
    found = try_patiently(
        items,
        lambda item, _: (item, next(count)),
        jobs=jobs,
        patience=QUICK,
        is_lasting=lambda _: False,
        begin_again=lambda: None,
        as_ours=lambda error: SwathError(str(error)),
    )
    assert [item for item, _ in found] == items
    assert sorted(number for _, number in found) == list(range(len(items)))


def test_results_that_come_the_other_way_round_are_put_in_order() -> None:
    def work(item: str, _pulse: Pulse) -> str:
        time.sleep(0.05 * int(item))
        return item

    far = Far()
    far.work = work  # type: ignore[method-assign]
    assert far.do("2", "0", "1") == ["2", "0", "1"]


def test_only_what_failed_is_tried_again() -> None:
    far = Far(b=[OSError("1"), OSError("2")])
    assert far.do("a", "b", "c") == ["A", "B", "C"]
    assert sorted(far.calls) == ["a", "b", "b", "b", "c"]
    assert far.begun_again == 2


def test_after_the_last_try_the_error_is_ours_and_names_its_cause() -> None:
    errors: list[Exception] = [OSError(str(number)) for number in range(4)]
    far = Far(a=list(errors))
    with pytest.raises(PassingFaultError) as caught:
        far.do("a")
    assert str(caught.value) == "ours: 2"
    assert caught.value.__cause__ is errors[2]
    assert (far.calls, far.begun_again) == (["a"] * 3, 2)


def test_without_pauses_there_is_one_try() -> None:
    far = Far(a=[OSError("once")])
    with pytest.raises(PassingFaultError, match="ours: once"):
        far.do("a", patience=Patience(pauses_s=()))
    assert far.calls == ["a"]


def test_a_lasting_error_ends_it_at_once_before_errors_that_pass() -> None:
    far = Far(a=[OSError("passes")], b=[PermissionError("no")])
    with pytest.raises(PassingFaultError, match=r"^ours: no$"):
        far.do("a", "b")
    assert (sorted(far.calls), far.begun_again) == (["a", "b"], 0)


def test_an_error_of_our_own_stays_what_it_is() -> None:
    mine = UserError("mine", hint="do that")
    far = Far(a=[mine])
    with pytest.raises(UserError) as caught:
        far.do("a")
    assert caught.value is mine
    assert far.calls == ["a"]


def test_none_is_a_result_as_any_other() -> None:
    found = try_patiently(
        [1, 2],
        lambda _item, _pulse: None,
        jobs=1,
        patience=Patience(pauses_s=()),
        is_lasting=lambda _: False,
        begin_again=lambda: None,
        as_ours=lambda error: SwathError(str(error)),
    )
    assert found == [None, None]


class Hanging(Far):
    """Hangs in its first call."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.begun = threading.Event()

    def work(self, item: str, pulse: Pulse) -> str:
        if not self.begun.is_set():
            self.begun.set()
            self.released.wait(20)
        return super().work(item, pulse)


def test_what_stalls_is_tried_again() -> None:
    far = Hanging()
    try:
        assert far.do("a", patience=Patience(stall_s=0.1, pauses_s=(0.0,))) == ["A"]
    finally:
        far.released.set()
    assert far.begun_again == 1


def test_what_a_try_that_was_given_up_brings_late_is_discarded() -> None:
    far, discarded = Hanging(), []
    done = threading.Event()

    def discard(result: str) -> None:
        discarded.append(result)
        done.set()

    found = try_patiently(
        ["a"],
        far.work,
        jobs=1,
        patience=Patience(stall_s=0.1, pauses_s=(0.0,)),
        is_lasting=lambda _: False,
        begin_again=lambda: None,
        as_ours=lambda error: SwathError(str(error)),
        discard=discard,
    )
    far.released.set()
    assert done.wait(10)
    assert (found, discarded) == (["A"], ["A"])


def test_a_try_that_was_given_up_ends_with_the_next_byte() -> None:
    begun, released, ended = threading.Event(), threading.Event(), threading.Event()
    moved: list[int] = []

    def work(item: str, pulse: Pulse) -> str:
        if begun.is_set():
            return item
        begun.set()
        released.wait(20)
        try:
            pulse.relative_update(1)
            moved.append(1)
        finally:
            ended.set()
        return item

    far = Far()
    far.work = work  # type: ignore[method-assign]
    assert far.do("a", patience=Patience(stall_s=0.1, pauses_s=(0.0,))) == ["a"]
    released.set()
    assert ended.wait(10)
    assert moved == []


def test_a_stall_in_the_last_try_is_told() -> None:
    far = Hanging()
    try:
        with pytest.raises(PassingFaultError) as caught:
            far.do("a", patience=Patience(stall_s=0.1, pauses_s=()))
    finally:
        far.released.set()
    assert str(caught.value) == "ours: nothing moved for 0.1 s"


def test_time_in_which_this_machine_slept_is_not_the_remotes(monkeypatch: pytest.MonkeyPatch) -> None:
    slept_s = [0.0]
    clock = time.monotonic
    monkeypatch.setattr("swath.dvc_border.patience.time.monotonic", lambda: clock() + slept_s[0])

    def work(item: str, _pulse: Pulse) -> str:
        time.sleep(0.3)
        slept_s[0] += 3600
        time.sleep(0.5)
        return item

    far = Far()
    far.work = work  # type: ignore[method-assign]
    assert far.do("a", patience=Patience(stall_s=20, pauses_s=())) == ["a"]


def test_slow_work_whose_bytes_move_does_not_stall() -> None:
    def work(item: str, pulse: Pulse) -> str:
        for _ in range(9):
            time.sleep(0.1)
            pulse.relative_update(1)
        return item

    far = Far()
    far.work = work  # type: ignore[method-assign]
    assert far.do("a", patience=Patience(stall_s=0.5, pauses_s=())) == ["a"]


def test_a_stop_ends_the_waiting_for_work_that_hangs() -> None:
    far, stop = Hanging(), threading.Event()
    threading.Timer(0.1, stop.set).start()
    start = time.monotonic()
    try:
        with pytest.raises(InterruptedRunError, match=r"^stopped$"):
            far.do("a", stop=stop)
    finally:
        far.released.set()
    assert time.monotonic() - start < 5


def test_a_stop_ends_a_pause() -> None:
    far, stop = Far(a=[OSError("1")]), threading.Event()
    threading.Timer(0.1, stop.set).start()
    start = time.monotonic()
    with pytest.raises(InterruptedRunError, match=r"^stopped$"):
        far.do("a", patience=Patience(pauses_s=(60.0,)), stop=stop)
    assert time.monotonic() - start < 5
    assert (far.calls, far.begun_again) == (["a"], 0)


def test_a_stop_ends_many_short_pieces_of_work_and_what_waits_is_left() -> None:
    stop = threading.Event()
    done: list[int] = []

    def work(item: str, _pulse: Pulse) -> str:
        time.sleep(0.005)
        done.append(1)
        if len(done) == 10:
            stop.set()
        return item

    far = Far()
    far.work = work  # type: ignore[method-assign]
    with pytest.raises(InterruptedRunError, match=r"^stopped$"):
        far.do(*["a"] * 400, stop=stop)
    count = len(done)
    time.sleep(0.1)
    assert count < 50
    assert len(done) <= count + 2  # those that were under way


def test_every_word_of_progress_is_a_beat() -> None:
    pulse = Pulse()
    for tell in (pulse.beat, lambda: pulse.set_size(1), lambda: pulse.absolute_update(1), pulse.relative_update):
        before = pulse.beats
        tell()
        assert pulse.beats == before + 1
    assert pulse.branched("a", "b") is pulse


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "full"), True),
        (OSError(errno.EDQUOT, "quota"), True),
        (OSError(errno.EIO, "broken"), False),
        (ValueError(errno.ENOSPC), False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, full: bool) -> None:  # noqa: FBT001
    assert is_no_space(error) == full


@pytest.mark.parametrize(
    ("wait_s", "pauses_s", "stall_s"),
    [
        (3, (1.0, 2.0), 3),
        (60, (1.0, 4.0, 15.0, 40.0), 60),
        (200, (1.0, 4.0, 15.0, 40.0, 120.0, 20.0), 120),
        (0, (), 0),
    ],
)
def test_the_pauses_make_up_the_time(wait_s: float, pauses_s: tuple[float, ...], stall_s: float) -> None:
    assert Patience.lasting(wait_s) == Patience(stall_s, pauses_s)
