"""`plan/scope.py`: what one level does."""

from __future__ import annotations

from support.job_graphs import graph_of
from swath.model.plan import Decision, DecisionKind
from swath.plan.scope import scope

GRAPH = graph_of({"key": (), "search": ("key",), "a": (), "b": ("search",)})


def kinds(chosen: str, **decided: DecisionKind) -> tuple[list[str], bool]:
    """The stages that are done, and whether a level follows; what is not said is unchanged."""
    decisions = {name: Decision(decided.get(name, "unchanged")) for name in GRAPH.stages}
    found = scope(GRAPH, decisions, chosen.split(), ["search"])
    assert list(found.kinds) == list(GRAPH.stages)
    return [name for name, kind in found.kinds.items() if kind != "unchanged"], found.continues


def test_first_what_says_which_stages_there_are() -> None:
    assert kinds("key search a b", key="run", search="run", a="run", b="run") == (["key", "search"], True)
    assert kinds("key search a b", search="restore", a="run") == (["search"], True)


def test_all_at_once_when_that_is_settled() -> None:
    assert kinds("key search a b", a="run", b="restore") == (["a", "b"], False)


def test_only_what_was_chosen() -> None:
    assert kinds("a", search="run", a="run", b="run") == (["a"], False)
