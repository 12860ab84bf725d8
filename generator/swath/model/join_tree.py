"""Keep lists of `needs` short: a tree of join jobs, which do nothing but wait.

ci.needs: 3, seven jobs:   a b c ─▶ join 1 ─┐
                             d e ─▶ join 2 ─┼▶ job
                             f g ─▶ join 3 ─┘
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from swath.errors import Place, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST: Final = 2  # a join of one job would never make a list shorter


class JoinTree:
    """The join jobs of one pipeline; equal lists share theirs.

    Args:
        limit: entries of one job's `needs`.
        prefix: of the joins' names, which are numbered from 1.
    """

    def __init__(self, limit: int, prefix: str = "join") -> None:
        self._limit, self._prefix = limit, prefix
        self._names: dict[tuple[str, ...], str] = {}

    @property
    def joins(self) -> dict[str, tuple[str, ...]]:
        """Name and needs of each join so far, in an order in which none needs a later one."""
        return {name: needs for needs, name in self._names.items()}

    def shortened(self, needs: Sequence[str], who: str, *, room: int = 0) -> tuple[str, ...]:
        """The needs themselves, or the joins that stand for them.

        Args:
            who: the job that needs them, for the message.
            room: entries to keep free for what is added later.

        Raises:
            UserError: so few needs are allowed that no tree can help.
        """
        allowed = self._limit - room
        names = tuple(needs)
        if len(names) > allowed and (self._limit < _FEWEST or allowed < 1):
            message = f"the job {who!r} waits for {len(names) + room} jobs, and `ci.needs` allows {self._limit}"
            raise UserError(message, place=Place("swath.yaml", key="ci.needs"), hint="allow at least 3; GitLab's is 50")
        while len(names) > allowed:
            pieces = -(-len(names) // self._limit)
            bounds = [len(names) * number // pieces for number in range(pieces + 1)]
            names = tuple(self._join(names[start:end]) for start, end in pairwise(bounds))
        return names

    def _join(self, needs: tuple[str, ...]) -> str:
        if len(needs) == 1:
            return needs[0]
        return self._names.setdefault(needs, f"{self._prefix} {len(self._names) + 1}")
