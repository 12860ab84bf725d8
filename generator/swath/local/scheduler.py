"""Run a graph of tasks in parallel, as far as the machine's resources go.

Knows nothing of stages: a task is a name with a demand; `work` does it in a thread. The sum of what runs never exceeds
what the machine offers; a GPU belongs to one task at a time. Among the tasks that are ready the one with the longest
path behind it goes first, then the order of the graph: equal runs start tasks in an equal order.
"""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Result = Literal["done", "failed"]


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
        work: does a task in a thread, with the GPUs given; must not raise.
        demand: what a task takes.
        tick: called in the scheduling thread about ten times a second and after each task.
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
        self._results: queue.SimpleQueue[tuple[str, Result]] = queue.SimpleQueue()
        self._inbox: queue.SimpleQueue[tuple[str, tuple[int, ...]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._schedule = Schedule()

    def all(self) -> Schedule:
        for name, needs in self._waiting.items():
            if not needs:
                heapq.heappush(self._ready, (self._rank[name], name))
        try:
            while self._start_what_fits() or self._running:
                self._take_results()
                self._hooks.tick()
        finally:
            for _ in self._threads:
                self._inbox.put(None)
            for thread in self._threads:
                thread.join()
        settled = {*self._schedule.done, *self._schedule.failed, *self._schedule.skipped}
        self._schedule.not_started = [name for name in self._waiting if name not in settled]
        return self._schedule

    def _ended(self) -> bool:
        return self._stop.is_set() or (bool(self._schedule.failed) and not self._keep_going)

    def _start_what_fits(self) -> bool:
        """Start ready tasks; whether any was started."""
        started, too_big = False, []
        while self._ready and len(self._running) < self._machine.jobs and not self._ended():
            rank, name = heapq.heappop(self._ready)
            demand = self._hooks.demand(name)
            if self._free.fits(demand):
                gpus = self._free.take(demand)
                self._running[name] = (demand, gpus)
                self._dispatch(name, gpus)
                started = True
            else:
                too_big.append((rank, name))
                if len(too_big) > 64:
                    break
        for entry in too_big:
            heapq.heappush(self._ready, entry)
        return started

    def _dispatch(self, name: str, gpus: tuple[int, ...]) -> None:
        if len(self._threads) < len(self._running):
            thread = threading.Thread(target=self._serve, name=f"swath-{len(self._threads)}", daemon=True)
            thread.start()
            self._threads.append(thread)
        self._inbox.put((name, gpus))

    def _serve(self) -> None:
        while (task := self._inbox.get()) is not None:
            name, gpus = task
            self._results.put((name, self._hooks.work(name, gpus)))

    def _take_results(self) -> None:
        try:
            self._finish(*self._results.get(timeout=0.1))
            while True:
                self._finish(*self._results.get_nowait())
        except queue.Empty:
            return

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
