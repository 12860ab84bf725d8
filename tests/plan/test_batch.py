"""`plan/batch.py`: wide groups in as many pieces as may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from support.job_graphs import runner
from swath.plan.batch import Width, batches, cut


@given(st.lists(st.integers()), st.integers(1, 9))
def test_pieces_are_even_and_in_order(items: list[int], pieces: int) -> None:
    found = cut(items, pieces)
    assert [item for piece in found for item in piece] == items
    assert len(found) == min(pieces, len(items))
    sizes = {len(piece) for piece in found}
    assert not sizes or max(sizes) - min(sizes) <= 1


def width(items: int, concurrency: int) -> Width:
    """A group of so many items."""
    return Width(runner("x", concurrency=concurrency), tuple((f"s@{number}",) for number in range(items)))


def test_at_most_as_many_as_run_at_a_time() -> None:
    found = batches([width(5, 2), width(1, 4)], 100)
    assert found is not None
    assert [(len(batch.stages), batch.number, batch.count) for batch in found] == [(2, 1, 2), (3, 2, 2), (1, 0, 1)]


def test_fewer_when_there_may_not_be_so_many() -> None:
    widths = [width(9, 9), width(9, 3)]
    assert [len(batches(widths, most) or ()) for most in (12, 11, 7, 6, 2)] == [12, 11, 7, 6, 2]
    assert batches(widths, 1) is None
