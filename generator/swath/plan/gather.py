"""Gather threads into fewer and fewer widths: for graphs of hundreds of stages that no `foreach` makes alike.

    reach 1:  {a b c} ─▶ {d e} ─▶ {f g} ─▶ {h}        all threads of one place and depth share batches
    reach 2:  {a b c     d e} ─▶ {f g     h}          those of neighbouring depths too, if nothing of another place
                                                      must come in between

Widths are made one after the other, each of threads whose upstream threads are in widths before it or in itself. So
there are no cycles, whatever the graph is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from swath.plan.fuse import Thread


@dataclass(frozen=True, slots=True)
class Gathered:
    """Threads that may share batches.

    Attributes:
        first: one of them: all run in its place.
        parts: their stages to run, in parts that need nothing of each other.
    """

    first: Thread
    parts: tuple[tuple[str, ...], ...]


def gather(threads: Sequence[Thread], active: Mapping[int, tuple[str, ...]], reach: int, most: int) -> list[Gathered]:
    """Threads of one place and of neighbouring depths, together.

    Args:
        threads: of the whole graph.
        active: the stages to run of each thread that has some, by the thread's number.
        reach: depths that one result may span, from 1.
        most: results; when there are more, only one more than that is made.

    Returns:
        In topological order; each active thread is in one, unless there are too many.
    """
    left = sorted(active, key=lambda number: (threads[number].depth, number))
    done: set[int] = set()
    found: list[Gathered] = []
    while left and len(found) <= most:
        first = threads[left[0]]
        taken: dict[int, None] = {}
        for number in left:
            thread = threads[number]
            if thread.depth >= first.depth + reach:
                break
            alike = thread.place == first.place and thread.long == first.long
            if alike and all(up in done or up in taken for up in thread.upstream if up in active):
                taken[number] = None
        done.update(taken)
        left = [number for number in left if number not in taken]
        parts = _parts(threads, taken)
        found.append(Gathered(first, tuple(tuple(name for n in part for name in active[n]) for part in parts)))
    return found


def _parts(threads: Sequence[Thread], numbers: Iterable[int]) -> list[list[int]]:
    """Parts between which no edge leads; in each, the numbers in their order."""
    root: dict[int, int] = {}

    def end(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    for number in numbers:
        before = {end(up) for up in threads[number].upstream if up in root}
        root.update(dict.fromkeys((*before, number), number))
    parts: dict[int, list[int]] = {}
    for number in root:
        parts.setdefault(end(number), []).append(number)
    return list(parts.values())
