"""`model/join_tree.py`: lists of needs stay short, and everything is still waited for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import UserError
from swath.model.join_tree import JoinTree


@given(st.integers(0, 200), st.integers(2, 12), st.integers(0, 3))
def test_a_tree_waits_for_all(count: int, limit: int, room: int) -> None:
    tree = JoinTree(limit)
    needs = tuple(f"j{number}" for number in range(count))
    if limit - room < 1 and count > limit - room:
        with pytest.raises(UserError):
            tree.shortened(needs, "x", room=room)
        return
    short = tree.shortened(needs, "x", room=room)
    assert len(short) + room <= limit or count <= limit - room
    assert all(2 <= len(inner) <= limit for inner in tree.joins.values())
    waiting, found = list(short), set()
    while waiting:
        name = waiting.pop()
        waiting.extend(tree.joins.get(name, ()))
        found.add(name)
    assert found - set(tree.joins) == set(needs)
