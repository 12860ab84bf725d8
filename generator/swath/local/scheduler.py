"""Run a graph of tasks in parallel, as far as the machine's resources go.

Knows nothing of stages: a task is a name with a demand; `work` does it in a thread. The sum of what runs never exceeds
what the machine offers; a GPU belongs to one task at a time. Among the tasks that are ready the one with the longest
path behind it goes first, then the order of the graph: equal runs start tasks in an equal order. A thread that has done
a task takes the next one itself: handing it over through the caller's thread would cost more than a short stage's rest.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Literal

Result = Literal["done", "failed"]
_Task = tuple[str, tuple[int, ...]]  # with its GPUs
_TICK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Demand:
    """What a task takes from the machine while it runs."""

    cpus: float = 0.0
    memory_bytes: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to give.

    Attributes:
        jobs: most tasks at a time.
        gpus: numbers of the GPUs.
    """

    jobs: int
    cpus: float
    memory_bytes: int
    gpus: tuple[int, ...] = ()

    def shortage(self, demand: Demand) -> str:
        """Why the demand can never be met here; empty: it can."""
        if demand.gpus > len(self.gpus):
            return f"it asks for {demand.gpus} GPUs, this machine has {len(self.gpus)}"
        if demand.memory_bytes > self.memory_bytes:
            there = f"{self.memory_bytes / 2**30:.1f}GiB"
            return f"it asks for {demand.memory_bytes / 2**30:.1f}GiB of memory, this machine has {there}"
        return ""

    def most_of(self, demand: Demand) -> Demand:
        """The demand, cut to what there is: a stage that asks for more cores runs alone."""
        cpus, memory = min(demand.cpus, self.cpus), min(demand.memory_bytes, self.memory_bytes)
        return Demand(cpus, memory, min(demand.gpus, len(self.gpus)))


@dataclass(slots=True)
class _Free:
    cpus: float
    memory_bytes: int
    gpus: list[int]

    def fits(self, demand: Demand) -> bool:
        enough_cpus = demand.cpus <= self.cpus + 1e-9  # sums of fractions
        return enough_cpus and demand.memory_bytes <= self.memory_bytes and demand.gpus <= len(self.gpus)

    def take(self, demand: Demand) -> tuple[int, ...]:
        self.cpus -= demand.cpus
        self.memory_bytes -= demand.memory_bytes
        taken, self.gpus = tuple(self.gpus[: demand.gpus]), self.gpus[demand.gpus :]
        return taken

    def give(self, demand: Demand, gpus: tuple[int, ...]) -> None:
        self.cpus += demand.cpus
        self.memory_bytes += demand.memory_bytes
        self.gpus = sorted([*self.gpus, *gpus])


@dataclass(slots=True)
class Schedule:
    """The outcome of a run of tasks.

    Attributes:
        done: tasks that ended well.
        failed: tasks that failed.
        skipped: tasks that could not start since one before them failed, with that one.
        not_started: tasks left out because the run was ended early.
    """

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    not_started: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hooks:
    """How the scheduler works with its caller.

    Attributes:
        work: does a task in a thread, with the GPUs given; what it raises is a bug, and ends the run.
        demand: what a task takes.
        tick: called in the caller's thread about ten times a second.
    """

    work: Callable[[str, tuple[int, ...]], Result]
    demand: Callable[[str], Demand]
    tick: Callable[[], None]


def run_tasks(
    before: Mapping[str, Sequence[str]],
    machine: Machine,
    hooks: Hooks,
    stop: threading.Event,
    *,
    keep_going: bool = False,
) -> Schedule:
    """Run all tasks.

    Args:
        before: each task's name to the tasks that must be done first; in a stable topological order.
        stop: when it is set no task is started any more; running ones are the caller's to end.
        keep_going: after a failure, go on with what does not depend on it.
    """
    return _Run(before, machine, hooks, stop, keep_going=keep_going).all()


class _Run:
    def __init__(
        self,
        before: Mapping[str, Sequence[str]],
        machine: Machine,
        hooks: Hooks,
        stop: threading.Event,
        *,
        keep_going: bool,
    ) -> None:
        self._machine, self._hooks, self._stop, self._keep_going = machine, hooks, stop, keep_going
        self._waiting = {name: set(needs) for name, needs in before.items()}
        self._behind: dict[str, list[str]] = {name: [] for name in before}
        for name, needs in before.items():
            for need in needs:
                self._behind[need].append(name)
        self._rank = _ranks(before, self._behind)
        self._ready: list[tuple[tuple[int, int], str]] = []
        self._free = _Free(machine.cpus, machine.memory_bytes, list(machine.gpus))
        self._running: dict[str, tuple[Demand, tuple[int, ...]]] = {}
        self._lock = threading.RLock()  # a task that is over at once is noted within the dispatch
        self._over = threading.Event()
        self._serving = 0
        self._fault: BaseException | None = None
        self._pool = ThreadPoolExecutor(machine.jobs, thread_name_prefix="swath")
        self._schedule = Schedule()

    def all(self) -> Schedule:
        for name, needs in self._waiting.items():
            if not needs:
                heapq.heappush(self._ready, (self._rank[name], name))
        with self._pool:
            with self._lock:
                self._dispatch(self._take_what_fits())
                if not self._serving:
                    self._over.set()
            while not self._over.wait(_TICK_S):
                self._hooks.tick()
            self._hooks.tick()
        if self._fault is not None:
            raise self._fault
        settled = {*self._schedule.done, *self._schedule.failed, *self._schedule.skipped}
        self._schedule.not_started = [name for name in self._waiting if name not in settled]
        return self._schedule

    def _ended(self) -> bool:
        return self._stop.is_set() or (bool(self._schedule.failed) and not self._keep_going)

    def _take_what_fits(self) -> list[_Task]:
        """Ready tasks that can start now, as started."""
        taken, too_big = [], []
        while self._ready and len(self._running) < self._machine.jobs and not self._ended():
            rank, name = heapq.heappop(self._ready)
            demand = self._hooks.demand(name)
            if self._free.fits(demand):
                gpus = self._free.take(demand)
                self._running[name] = (demand, gpus)
                taken.append((name, gpus))
            else:
                too_big.append((rank, name))
                if len(too_big) > 64:
                    break
        for entry in too_big:
            heapq.heappush(self._ready, entry)
        return taken

    def _dispatch(self, tasks: Sequence[_Task]) -> None:
        for task in tasks:
            self._serving += 1
            self._pool.submit(self._serve, task).add_done_callback(self._served)

    def _serve(self, task: _Task) -> None:
        """In a thread: a task, and as long as there are more, another."""
        while True:
            result = self._hooks.work(*task)
            with self._lock:
                self._finish(task[0], result)
                tasks = self._take_what_fits()
                self._dispatch(tasks[1:])
            if not tasks:
                return
            task = tasks[0]

    def _served(self, future: Future[None]) -> None:
        """A thread has nothing to do: the last one ends the run; so does a fault, as if it were stopped."""
        with self._lock:
            self._serving -= 1
            fault = future.exception()
            if fault is not None:
                self._fault = self._fault or fault
                self._stop.set()
            if not self._serving:
                self._over.set()

    def _finish(self, name: str, result: Result) -> None:
        self._free.give(*self._running.pop(name))
        if result == "done":
            self._schedule.done.append(name)
            for behind in self._behind[name]:
                self._waiting[behind].discard(name)
                if not self._waiting[behind]:
                    heapq.heappush(self._ready, (self._rank[behind], behind))
            return
        self._schedule.failed.append(name)
        reach = [name]
        while reach:
            for behind in self._behind[reach.pop()]:
                if behind not in self._schedule.skipped:
                    self._schedule.skipped[behind] = name
                    reach.append(behind)


def _ranks(before: Mapping[str, Sequence[str]], behind: Mapping[str, list[str]]) -> dict[str, tuple[int, int]]:
    """Sort keys: the longest path behind a task first, then its place in the order."""
    height: dict[str, int] = {}
    for name in reversed(list(before)):
        height[name] = 1 + max((height[b] for b in behind[name]), default=0)
    return {name: (-height[name], position) for position, name in enumerate(before)}
