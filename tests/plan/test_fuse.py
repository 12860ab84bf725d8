"""`plan/fuse.py`: which stages share a thread, and that threads have no cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings

from support.job_graphs import graph_of, random_graphs
from swath.model.graph import StageGraph
from swath.model.jobs import Workload
from swath.model.plan import DecisionKind
from swath.plan.fuse import fuse


def threads(edges: Mapping[str, Sequence[str]], places: str = "", long: Sequence[str] = ()) -> list[list[str]]:
    """The threads; `places` has a letter for each stage."""
    graph = graph_of(edges)
    where = dict(zip(edges, places or "x" * len(edges), strict=True))
    return [thread.stages for thread in fuse(graph, where, long)]


def test_a_chain_in_one_place() -> None:
    assert threads({"a": (), "b": ("a",), "c": ("b",)}) == [["a", "b", "c"]]
    assert threads({"a": (), "b": ("a",), "c": ("b",)}, "xyx") == [["a"], ["b"], ["c"]]


def test_what_waits_for_more_begins_a_thread() -> None:
    assert threads({"a": (), "b": (), "c": ("a", "b")}) == [["a"], ["b"], ["c"]]


def test_what_waits_for_what_the_thread_waits_for_joins() -> None:
    assert threads({"data": (), "train": ("data",), "judge": ("data", "train")}, "xyy") == [
        ["data"],
        ["train", "judge"],
    ]


def test_a_fork_is_no_thread_but_for_one_item() -> None:
    assert threads({"a": (), "b": ("a",), "c": ("a",)}) == [["a"], ["b"], ["c"]]
    assert threads({"a@i": (), "b@i": ("a@i",), "c@i": ("a@i",)}) == [["a@i", "b@i", "c@i"]]
    assert threads({"a@i": (), "b@i": ("a@i",), "c@j": ("a@i",)}) == [["a@i", "b@i"], ["c@j"]]
    assert threads({"a@i": (), "b@i": ("a@i",), "c@i": ("a@i",)}, long=["b@i", "c@i"]) == [["a@i"], ["b@i"], ["c@i"]]


@settings(deadline=None, max_examples=60)
@given(random_graphs())
def test_edges_lead_to_greater_depths(made: tuple[StageGraph, dict[str, DecisionKind], dict[str, Workload]]) -> None:
    graph, _, loads = made
    found = fuse(graph, {name: load.image for name, load in loads.items()})
    thread_of = {name: thread for thread in found for name in thread.stages}
    assert sorted(thread_of) == sorted(graph.stages)
    for name, ups in graph.upstream.items():
        for up in ups:
            mine, other = thread_of[name], thread_of[up]
            assert mine is other or mine.depth > other.depth
