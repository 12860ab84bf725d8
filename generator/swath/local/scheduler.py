"""Run a graph of tasks in parallel, as far as the machine's resources go.

Knows nothing of stages: a task is a name with a demand; `work` does it in a thread. The sum of what runs never exceeds
what the machine offers; a GPU belongs to one task at a time. Which of the ready tasks starts next: `ready.py`. A thread
that has done a task takes the next one itself: handing it over through the caller's thread would cost more than a short
stage's rest. Whatever is raised in a thread or in `tick` stops the run, and is raised when all threads have ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from swath.errors import PassingFaultError
from swath.local.ready import ReadyTasks
from swath.local.resources import Demand, Free, Machine

Result = Literal["done", "failed"]
_Task = tuple[str, tuple[str, ...]]  # with its GPUs
_TICK_S: Final = 0.1


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
        tick: called in the caller's thread about ten times a second; what it raises ends the run.
    """

    work: Callable[[str, tuple[str, ...]], Result]
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
        stop: when it is set no task is started any more; running ones are the caller's to end. It is set here when
            the run ends because of a fault.
        keep_going: after a failure, go on with what does not depend on it.

    Raises:
        PassingFaultError: no thread can be started.
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
        self._ready = ReadyTasks(machine.jobs)
        self._free = Free(machine)
        self._running: dict[str, tuple[Demand, tuple[str, ...]]] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._serving = 0
        self._fault: BaseException | None = None
        self._schedule = Schedule()

    def all(self) -> Schedule:
        for name, needs in self._waiting.items():
            if not needs:
                self._add(name)
        with self._lock:
            self._dispatch(self._take_what_fits())
            if not self._serving:
                self._over.set()
        try:
            while not self._over.wait(_TICK_S):
                self._hooks.tick()
            self._hooks.tick()
        except BaseException as error:  # noqa: BLE001 - it is raised again when all threads have ended
            self._fail(error)
        self._over.wait()
        for thread in self._threads:
            thread.join()
        if self._fault is not None:
            raise self._fault
        settled = {*self._schedule.done, *self._schedule.failed, *self._schedule.skipped}
        self._schedule.not_started = [name for name in self._waiting if name not in settled]
        return self._schedule

    def _fail(self, error: BaseException) -> None:
        """Something went wrong that is no task's failure: as if the run were stopped, and then raised."""
        with self._lock:
            self._fault = self._fault or error
            self._stop.set()

    def _add(self, name: str) -> None:
        self._ready.add(name, self._rank[name], self._machine.most_of(self._hooks.demand(name)))

    def _ended(self) -> bool:
        return self._stop.is_set() or (bool(self._schedule.failed) and not self._keep_going)

    def _take_what_fits(self) -> list[_Task]:
        """Ready tasks that can start now, as started."""
        if self._ended():
            return []
        started = self._ready.take(self._free, self._machine.jobs - len(self._running))
        self._running.update((name, (demand, gpus)) for name, demand, gpus in started)
        return [(name, gpus) for name, _, gpus in started]

    def _dispatch(self, tasks: Sequence[_Task]) -> None:
        """Start a thread for each task; where the system has no more of them, those that are at work do it later."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        for task in tasks:
            thread = threading.Thread(target=self._serve, args=(task,), name=f"swath: {task[0]}")
            try:
                thread.start()
            except RuntimeError as error:
                self._free.give(*self._running.pop(task[0]))
                self._add(task[0])
                if not self._serving:
                    message = f"no thread can be started ({error}): too many processes, or too little memory"
                    self._fault = self._fault or PassingFaultError(f"{message}; end some, then run again")
                continue
            self._threads.append(thread)
            self._serving += 1

    def _serve(self, task: _Task) -> None:
        """In a thread: a task, and as long as there are more, another. The last thread to end ends the run."""
        try:
            self._do(task)
        except BaseException as error:  # noqa: BLE001 - a thread's exception would be lost; the caller raises it
            self._fail(error)
        finally:
            with self._lock:
                self._serving -= 1
                if not self._serving:
                    self._over.set()

    def _do(self, task: _Task) -> None:
        while True:
            result = self._hooks.work(*task)
            with self._lock:
                self._finish(task[0], result)
                tasks = self._take_what_fits()
                self._dispatch(tasks[1:])
            if not tasks:
                return
            task = tasks[0]

    def _finish(self, name: str, result: Result) -> None:
        self._free.give(*self._running.pop(name))
        if result == "done":
            self._schedule.done.append(name)
            for behind in self._behind[name]:
                self._waiting[behind].discard(name)
                if not self._waiting[behind]:
                    self._add(behind)
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
