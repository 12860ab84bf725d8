"""The order of the tests when several workers share them (pytest-xdist)."""

from __future__ import annotations

import itertools
import os
from typing import Final, TypeVar

import pytest

Item = TypeVar("Item")
_WORKERS: Final = "PYTEST_XDIST_WORKER_COUNT"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let half of the workers begin with the end-to-end tests, which wait a lot, beside the others, which compute.

    `--dist worksteal` hands each worker one stretch of the list, and whoever is through takes the end of another's.
    """
    workers = int(os.environ.get(_WORKERS, "1"))
    if workers > 1:
        items[:] = interleaved(
            sorted((item for item in items if "end_to_end" in item.path.parts), key=_timeout_s, reverse=True),
            [item for item in items if "end_to_end" not in item.path.parts],
            workers,
        )


def _timeout_s(item: pytest.Item) -> float:
    """What a test may take: those that may take longest begin."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0


def interleaved(long: list[Item], short: list[Item], workers: int) -> list[Item]:
    """Two lists as one, in `workers` stretches of one length; the first half of the stretches begin with the long tests."""
    first = max(1, workers // 2)
    length = (len(long) + len(short)) // workers
    ordered: list[Item] = []
    left = iter(short)
    for number in range(first):
        share = long[number::first]
        ordered += share
        ordered += itertools.islice(left, max(0, length - len(share)))
    return [*ordered, *left]
