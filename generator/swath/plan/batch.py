"""Cut threads of equal form into batches: thousands of items make tens of jobs.

Only threads of one depth share a batch, and an edge leads to a greater depth, so batches have no cycles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.model.runner import Runner

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Width:
    """Threads of equal form: the items of a wide `foreach`.

    Attributes:
        runner: of all of them.
        threads: the stages to run of each, none of them empty.
    """

    runner: Runner
    threads: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one job runs.

    Attributes:
        stages: in the order in which they run.
        number: from 1; 0: each batch of the width has one thread, which says enough.
        count: batches of the same width.
    """

    runner: Runner
    stages: tuple[str, ...]
    number: int
    count: int


def cut(items: Sequence[T], pieces: int) -> tuple[tuple[T, ...], ...]:
    """Cut items into at most so many pieces, in order; none is empty, and sizes differ by at most one."""
    count = min(pieces, len(items))
    bounds = [len(items) * number // count for number in range(count + 1)] if count else [0]
    return tuple(tuple(items[start:end]) for start, end in pairwise(bounds))


def batches(widths: Sequence[Width], most: int) -> tuple[Batch, ...] | None:
    """The batches of all widths: each has at most as many as its runners can run at a time.

    Args:
        most: batches in all; when there would be more, the widest are cut into fewer.

    Returns:
        Batches in the order of the widths; None: even one for each width is too many.
    """
    if len(widths) > most:
        return None
    cap = _largest_cap(widths, most)
    found: list[Batch] = []
    for width in widths:
        pieces = cut(width.threads, min(width.runner.concurrency, cap))
        single = all(len(piece) == 1 for piece in pieces)
        for number, piece in enumerate(pieces, 1):
            stages = tuple(name for thread in piece for name in thread)
            found.append(Batch(width.runner, stages, 0 if single else number, len(pieces)))
    return tuple(found)


def _largest_cap(widths: Sequence[Width], most: int) -> int:
    """The largest number of batches of one width with which all together are at most `most`."""
    counts = [min(len(width.threads), width.runner.concurrency) for width in widths]
    low, high = 1, max(counts, default=1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sum(min(n, middle) for n in counts) <= most else (low, middle - 1)
    return low
