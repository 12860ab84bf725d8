"""Ready tasks that wait for room on the machine, and which of them starts next. No I/O, no threads.

    tasks ─▶ a queue for each distinct demand ─▶ the first heads that fit ─▶ start

The rule. Tasks have an order: the longest path behind them first, then their place in the graph. The first of those
that fit starts; those that do not fit hold up nobody. So that a task with a large demand does not wait for ever: when
`patience` tasks behind it in the order have started before it, it is overdue, and until it has started no task behind
it gets anything of what it lacks; what it does not lack stays in use. What runs ends at some time, so its turn comes.

Each look goes over the distinct demands, not over the tasks: 10,000 tasks of a few demands take 0.1 s in all.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swath.local.resources import CPU_ROUNDING, Demand

if TYPE_CHECKING:
    from swath.local.resources import Free

Rank = tuple[int, int]
Started = tuple[str, Demand, tuple[str, ...]]  # with its GPUs


@dataclass(slots=True)
class _Queue:
    """Tasks of one demand.

    Attributes:
        tasks: a heap.
        passed: how many tasks have started before its first one that stand behind it.
    """

    demand: Demand
    tasks: list[tuple[Rank, str]] = field(default_factory=list)
    passed: int = 0


@dataclass(slots=True)
class _Lacked:
    """Which resources those lack that are overdue."""

    cpus: bool = False
    memory: bool = False
    gpus: bool = False

    def note(self, free: Free, demand: Demand) -> None:
        """One that is overdue does not fit."""
        self.cpus = self.cpus or demand.cpus > free.cpus + CPU_ROUNDING
        self.memory = self.memory or demand.memory_bytes > free.memory_bytes
        self.gpus = self.gpus or demand.gpus > len(free.gpus)

    def is_in(self, demand: Demand) -> bool:
        """Whether a task would take of them."""
        return bool((self.cpus and demand.cpus) or (self.memory and demand.memory_bytes) or (self.gpus and demand.gpus))


class ReadyTasks:
    """The queues.

    Args:
        patience: how many tasks may start before one that stands before them, at least 1.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._queues: dict[Demand, _Queue] = {}
        self._heads: list[tuple[Rank, _Queue]] = []  # in order; of queues with tasks
        self._least: Demand | None = None

    def add(self, name: str, rank: Rank, demand: Demand) -> None:
        """A task is ready.

        Args:
            rank: its place in the order; no two have the same.
        """
        queue = self._queues.setdefault(demand, _Queue(demand))
        if not queue.tasks or rank < queue.tasks[0][0]:
            if queue.tasks:
                del self._heads[bisect_left(self._heads, queue.tasks[0][0], key=_rank)]
            insort(self._heads, (rank, queue), key=_rank)
            queue.passed = 0
        heapq.heappush(queue.tasks, (rank, name))
        least = self._least or demand
        self._least = Demand(
            min(least.cpus, demand.cpus), min(least.memory_bytes, demand.memory_bytes), min(least.gpus, demand.gpus)
        )

    def take(self, free: Free, most: int) -> list[Started]:
        """Those that start now, in order; what they take is taken from `free`.

        Args:
            most: how many at most.
        """
        taken: list[Started] = []
        lacked = _Lacked()  # of all that are overdue, together
        place = 0
        while place < len(self._heads) and len(taken) < most and self._least and free.fits(self._least):
            queue = self._heads[place][1]
            demand = queue.demand
            if free.fits(demand) and not lacked.is_in(demand):
                del self._heads[place]
                taken.append((heapq.heappop(queue.tasks)[1], demand, free.take(demand)))
                queue.passed = 0
                for _, before in self._heads[:place]:
                    before.passed += 1
                if queue.tasks:  # the next one stands further behind
                    insort(self._heads, (queue.tasks[0][0], queue), key=_rank)
                continue
            if queue.passed >= self._patience:
                lacked.note(free, demand)
            place += 1
        return taken


def _rank(head: tuple[Rank, _Queue]) -> Rank:
    return head[0]
