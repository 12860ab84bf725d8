"""`plan/gather.py`: threads together, in an order in which nothing waits for what comes later."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from support.job_graphs import graph_of, random_graphs
from swath.model.graph import StageGraph
from swath.model.jobs import Workload
from swath.model.plan import DecisionKind
from swath.plan.fuse import fuse
from swath.plan.gather import Gathered, gather


def gathered(edges: Mapping[str, tuple[str, ...]], reach: int, most: int = 99, **places: str) -> list[Gathered]:
    """All stages of a graph."""
    threads = fuse(graph_of(edges), {name: places.get(name, "here") for name in edges})
    return gather(threads, {number: tuple(thread.stages) for number, thread in enumerate(threads)}, reach, most)


LADDER = {f"{lane}{n}": (f"a{n - 1}", f"b{n - 1}") if n else () for n in range(4) for lane in "ab"}


def test_one_depth() -> None:
    assert [each.parts for each in gathered(LADDER, 1)] == [((f"a{n}",), (f"b{n}",)) for n in range(4)]


def test_neighbouring_depths_hang_together() -> None:
    assert [each.parts for each in gathered(LADDER, 2)] == [(("a0", "b0", "a1", "b1"),), (("a2", "b2", "a3", "b3"),)]


def test_what_needs_nothing_of_each_other_stays_in_parts() -> None:
    pairs = {f"{step}{lane}": ("a" + lane,) if step != "a" else () for lane in "xy" for step in "abc"}
    assert [each.parts for each in gathered(pairs, 9)] == [(("ax", "bx", "cx"), ("ay", "by", "cy"))]


def test_another_place_in_between() -> None:
    found = gathered(LADDER, 9, a1="there")
    assert [each.parts for each in found] == [(("a0", "b0", "b1"),), (("a1",),), (("a2", "b2", "a3", "b3"),)]


def test_too_many() -> None:
    assert len(gathered(LADDER, 1, most=2)) == 3


@settings(max_examples=100, deadline=None)
@given(random_graphs(), st.integers(1, 9))
def test_any_graph(made: tuple[StageGraph, dict[str, DecisionKind], dict[str, Workload]], reach: int) -> None:
    graph, decisions, loads = made
    threads = fuse(graph, {name: load.image for name, load in loads.items()})
    running = ((n, tuple(s for s in thread.stages if decisions[s] == "run")) for n, thread in enumerate(threads))
    active = {number: names for number, names in running if names}
    found = gather(threads, active, reach, 10_000)
    done: set[str] = set()
    for each in found:
        for part in each.parts:
            for position, name in enumerate(part):
                before = {up for up in graph.upstream[name] if decisions[up] == "run"}
                assert before <= done | set(part[:position])
                assert loads[name].image == each.first.place
        done.update(name for part in each.parts for name in part)
    assert sorted(done) == sorted(name for names in active.values() for name in names)
