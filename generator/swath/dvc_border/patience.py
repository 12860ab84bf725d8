"""Work over a network that fails or stalls for a while: in parallel, watched, tried again with pauses between.

Each piece of work runs in a thread of its own kind (daemons: one that hangs in a library keeps no process alive). When
for a while no piece has ended and no byte has moved, the round is given up and what is left is tried again. The threads
of a round that was given up may wake up later. So each try writes to a file of its own, and what counts is put in place
by the caller, from the result. A late thread ends with the next byte that moves, or its result is discarded.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from fsspec.callbacks import Callback  # type: ignore[import-untyped]

from swath.errors import InterruptedRunError, SwathError

Item = TypeVar("Item")
Result = TypeVar("Result")
Waiting = TypeVar("Waiting")
_LOOK_S: Final = 0.2
_LONGEST_LOOK_S: Final = 2 * _LOOK_S
_STALL_S: Final = 120.0
_FIRST_PAUSES_S: Final = (1.0, 4.0, 15.0, 40.0)
_LONGEST_PAUSE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait.

    Attributes:
        stall_s: longest time without any progress.
        pauses_s: before each further try.
    """

    stall_s: float = _STALL_S
    pauses_s: tuple[float, ...] = _FIRST_PAUSES_S

    @classmethod
    def lasting(cls, wait_s: float) -> Patience:
        """One whose pauses make up a time: short ones first; a stall is not borne longer than that time."""
        pauses_s: list[float] = []
        for pause_s in itertools.chain(_FIRST_PAUSES_S, itertools.repeat(_LONGEST_PAUSE_S)):
            left_s = wait_s - sum(pauses_s)
            if left_s <= 0:
                break
            pauses_s.append(min(pause_s, left_s))
        return cls(min(_STALL_S, wait_s), tuple(pauses_s))


class GivenUpError(Exception):
    """The round that a piece of work belongs to was given up: its thread should end."""


class Pulse(Callback):  # type: ignore[misc]  # fsspec has no types
    """Hears of each block that moves; DVC's file systems are given it as their callback.

    Attributes:
        beats: how often something moved.
        given_up: whether nobody waits for this work any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.beats = 0
        self.given_up = False

    def beat(self) -> None:
        """Something moved.

        Raises:
            GivenUpError: nobody waits for it any more.
        """
        if self.given_up:
            raise GivenUpError
        self.beats += 1

    def set_size(self, _size: int) -> None:
        """How much there is."""
        self.beat()

    def absolute_update(self, _value: int) -> None:
        """How much has moved."""
        self.beat()

    def relative_update(self, _inc: int = 1) -> None:
        """How much more has moved."""
        self.beat()

    def branched(self, *_: object, **__: object) -> Pulse:
        """The one for a part of the work."""
        return self


@dataclass(slots=True)
class _Round(Generic[Item, Result]):
    """One try of all that is left."""

    work: Callable[[Item, Pulse], Result]
    pulse: Pulse
    discard: Callable[[Result], None]
    waiting: queue.SimpleQueue[tuple[int, Item]] = field(default_factory=queue.SimpleQueue)
    ended: queue.SimpleQueue[tuple[int, Result | None, Exception | None]] = field(default_factory=queue.SimpleQueue)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self) -> None:
        """Work until nothing is left; in a thread."""
        while True:
            try:
                number, item = self.waiting.get_nowait()
            except queue.Empty:
                return
            try:
                result = self.work(item, self.pulse)
            except Exception as error:  # noqa: BLE001 - handed to the caller, which knows the libraries' errors
                self.ended.put((number, None, error))
                continue
            with self.lock:
                if not self.pulse.given_up:
                    self.ended.put((number, result, None))
                    continue
            self._discard(result)

    def give_up(self) -> None:
        """Let what waits be, and the threads end; what they brought and nobody took is discarded."""
        with self.lock:
            self.pulse.given_up = True
        _drain(self.waiting)
        for _, result, error in _drain(self.ended):
            if error is None:
                self._discard(result)  # type: ignore[arg-type]  # None only where it is the work's own result

    def _discard(self, result: Result) -> None:
        with contextlib.suppress(Exception):  # nobody waits for it, nor for what is wrong with it
            self.discard(result)


@dataclass(slots=True)
class _Watch:
    """Counts how long nothing has moved.

    A look that comes late says that this machine slept or had no processor for us: that time is not the remote's.
    """

    pulse: Pulse
    beats: int = 0
    idle_s: float = 0.0
    looked: float = field(default_factory=time.monotonic)

    def look(self) -> float:
        """How long nothing has moved, in seconds; to be called about every `_LOOK_S`."""
        now = time.monotonic()
        since_s, self.looked = now - self.looked, now
        moved = self.pulse.beats != self.beats
        self.beats = self.pulse.beats
        self.idle_s = 0.0 if moved else self.idle_s + min(since_s, _LONGEST_LOOK_S)
        return self.idle_s


def try_patiently(
    items: Sequence[Item],
    work: Callable[[Item, Pulse], Result],
    *,
    jobs: int,
    patience: Patience,
    is_lasting: Callable[[Exception], bool],
    begin_again: Callable[[], None],
    as_ours: Callable[[Exception], SwathError],
    waiting: Callable[[Exception, float], None] = lambda *_: None,
    discard: Callable[[Result], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> list[Result]:
    """Do all pieces of work, some at a time.

    Args:
        work: one piece; may be done twice, also at the same time, when the first try hangs.
        jobs: at a time.
        is_lasting: whether trying again is of no use.
        begin_again: before each further try: drop connections.
        as_ours: the error to raise for the last one, or for one that lasts.
        waiting: hears of each pause: one of the errors before it, and how long it is.
        discard: gets the result of a try that nobody waits for any more, in that try's thread; removes what it left.
        stop: when it is set, all is given up.

    Returns:
        Results in the order of the items.

    Raises:
        InterruptedRunError: `stop` was set.
        SwathError: what `as_ours` makes of an error; of `TimeoutError` when nothing moved.
    """
    results: dict[int, Result] = {}
    left = dict(enumerate(items))
    with _discarded_unless_all_succeed(results, discard):
        for pause_s in (*patience.pauses_s, None):
            one = _Round(work, Pulse(), discard)
            failed = _once(one, left, results, jobs=jobs, stall_s=patience.stall_s, stop=stop)
            left = {number: item for number, item in left.items() if number not in results}
            if not left:
                break
            lasting = next((error for error in failed if isinstance(error, SwathError) or is_lasting(error)), None)
            if lasting is not None or pause_s is None:
                error = lasting or failed[0]
                raise error if isinstance(error, SwathError) else as_ours(error) from error
            waiting(failed[0], pause_s)
            if (stop or threading.Event()).wait(pause_s):
                raise InterruptedRunError("stopped")
            begin_again()
    return [results[number] for number in range(len(items))]


@contextlib.contextmanager
def _discarded_unless_all_succeed(
    results: Mapping[int, Result], discard: Callable[[Result], None]
) -> Generator[None, None, None]:
    try:
        yield
    except BaseException:
        for result in results.values():
            discard(result)
        raise


def _once(
    one: _Round[Item, Result],
    left: dict[int, Item],
    results: dict[int, Result],
    *,
    jobs: int,
    stall_s: float,
    stop: threading.Event | None,
) -> list[Exception]:
    """Try all that is left once; what went wrong."""
    for pair in left.items():
        one.waiting.put(pair)
    for _ in range(min(jobs, len(left))):
        threading.Thread(target=one.serve, daemon=True).start()
    failed: list[Exception] = []
    watch = _Watch(one.pulse)
    count = 0
    try:
        while count < len(left):
            if stop is not None and stop.is_set():
                raise InterruptedRunError("stopped")
            try:
                number, result, error = one.ended.get(timeout=_LOOK_S)
            except queue.Empty:
                if watch.look() > stall_s:
                    failed.append(TimeoutError(f"nothing moved for {stall_s:g} s"))
                    return failed
                continue
            count += 1
            one.pulse.beat()
            if error is None:
                results[number] = result  # type: ignore[assignment]  # None only where it is the work's own result
            else:
                failed.append(error)
    finally:
        if count < len(left):
            one.give_up()
    return failed


def _drain(waiting: queue.SimpleQueue[Waiting]) -> list[Waiting]:
    """Empty a queue; what was in it."""
    found: list[Waiting] = []
    while True:
        try:
            found.append(waiting.get_nowait())
        except queue.Empty:
            return found


def is_no_space(error: BaseException) -> bool:
    """Whether an error says that a disk of this machine is full."""
    import errno

    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT} and os.name == "posix"
