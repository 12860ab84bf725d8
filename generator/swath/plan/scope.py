"""Which stages one child pipeline is about.

When a stage that says which stages there are will do something, only it and what it needs are done now; the next level
knows the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from swath.model.graph import StageGraph
    from swath.model.plan import Decision, DecisionKind


@dataclass(frozen=True, slots=True)
class Scope:
    """What one level does.

    Attributes:
        kinds: of all stages, in the graph's order; what is not this level's business is `unchanged`.
        continues: whether a further level follows.
    """

    kinds: Mapping[str, DecisionKind]
    continues: bool


def scope(
    graph: StageGraph, decisions: Mapping[str, Decision], chosen: Iterable[str], generators: Iterable[str]
) -> Scope:
    """What this level does.

    Args:
        chosen: stages that the pipeline is about, with all that they need.
        generators: stages that write which stages there are.
    """
    names = set(chosen)
    before = graph.before(name for name in generators if name in names)
    moving = any(decisions[name].kind != "unchanged" for name in before)
    active = before if moving else names
    kinds: dict[str, DecisionKind] = {
        name: decision.kind if name in active else "unchanged" for name, decision in decisions.items()
    }
    return Scope(kinds, moving)
