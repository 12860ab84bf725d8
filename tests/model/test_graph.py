"""The graph of stages: edges, order, overlaps, circles; edges equal those of DVC (see tests/load)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import FindingsError, Place
from swath.model.graph import StageGraph, build_graph
from swath.model.stage import Dependency, Output, ParamsRead, Stage


def _stage(
    name: str, deps: str = "", outs: str = "", *, line: int = 1, params: str = "", frozen: bool = False
) -> Stage:
    return Stage(
        name=name,
        file="dvc.yaml",
        key=name,
        group=name,
        cmd="x",
        wdir=".",
        deps=tuple(Dependency(path, path) for path in deps.split()),
        outs=tuple(Output(path, path) for path in outs.split()),
        params=tuple(ParamsRead(path, path, ()) for path in params.split()),
        frozen=frozen,
        place=Place("dvc.yaml", line, f"stages.{name}"),
    )


def _message(*stages: Stage, tracked: dict[str, str] | None = None) -> str:
    with pytest.raises(FindingsError) as caught:
        build_graph(stages, tracked)
    return str(caught.value)


@pytest.mark.parametrize("dep", ["o", "o/inside", "o/deep/er", ".", "around"])
def test_an_edge_where_paths_meet(dep: str) -> None:
    out = "around/o" if dep == "around" else "o"

    graph = build_graph([_stage("below", dep), _stage("above", outs=out)])

    assert graph.upstream == {"above": (), "below": ("above",)}
    assert graph.downstream == {"above": ("below",), "below": ()}


@pytest.mark.parametrize("dep", ["oo", "o.x", "p", "o-1/x", "xo", "https://o"])
def test_no_edge_where_only_names_are_alike(dep: str) -> None:
    assert build_graph([_stage("below", dep), _stage("above", outs="o")]).upstream["below"] == ()


def test_a_parameter_file_that_a_stage_makes() -> None:
    graph = build_graph([_stage("below", params="p.yaml"), _stage("above", outs="p.yaml")])

    assert graph.upstream["below"] == ("above",)


def test_a_circle_through_a_frozen_stage_is_one() -> None:
    assert _message(_stage("a", "o", "p", frozen=True), _stage("b", "p", "o", line=2)) == (
        "dvc.yaml:1: stages.a: the stages depend on each other in a circle: a needs b needs a\n"
        "  take one of these deps out"
    )


def test_a_frozen_stage_needs_nobody() -> None:
    assert build_graph([_stage("below", "o", frozen=True), _stage("above", outs="o")]).upstream["below"] == ()


def test_the_order_is_depth_first_in_the_order_of_the_files() -> None:
    stages = [_stage("d", "b c"), _stage("c", "a", "c"), _stage("b", "a", "b"), _stage("a", outs="a"), _stage("e")]

    assert list(build_graph(stages).stages) == ["a", "b", "c", "d", "e"]


def test_behind_before_and_only() -> None:
    graph = build_graph([_stage("a", outs="a"), _stage("b", "a", "b"), _stage("c", "b", "c"), _stage("d", "a")])

    assert graph.behind(["b"]) == {"b", "c"}
    assert graph.before(["c"]) == {"a", "b", "c"}
    assert graph.only({"a", "c"}) == StageGraph(
        {name: graph.stages[name] for name in ("a", "c")}, {"a": (), "c": ()}, {"a": (), "c": ()}
    )


def test_all_overlaps_are_told() -> None:
    stages = [_stage("a", outs="o q", line=1), _stage("b", outs="o", line=2), _stage("c", outs="q/r x/y", line=3)]

    assert _message(*stages, tracked={"x": "x.dvc", "o2": "o2.dvc"}) == (
        "dvc.yaml:2: stages.b: the output o of stage b is also one of stage a\n"
        "  give each output one stage\n"
        "dvc.yaml:3: stages.c: the output q/r of stage c lies inside the output q of stage a\n"
        "  track one of them, or move one elsewhere\n"
        "dvc.yaml:3: stages.c: the output x/y of stage c lies inside the output x\n"
        "  track one of them, or move one elsewhere"
    )


def test_an_output_that_is_tracked_already() -> None:
    assert _message(_stage("a", outs="o"), tracked={"o": "o.dvc"}) == (
        "dvc.yaml:1: stages.a: the output o of stage a is also one of o.dvc\n  give each output one stage"
    )


def test_tracked_data_may_lie_in_tracked_data() -> None:
    assert build_graph([], {"a": "a.dvc", "a/b": "a/b.dvc"}).stages == {}


@pytest.mark.parametrize("turn", range(3))
def test_a_circle_is_told_the_same_way_wherever_it_was_entered(turn: int) -> None:
    ring = [_stage("a", "c", "a", line=1), _stage("b", "a", "b", line=2), _stage("c", "b", "c", line=3)]

    assert _message(*ring[turn:], *ring[:turn]) == (
        "dvc.yaml:1: stages.a: the stages depend on each other in a circle: a needs c needs b needs a\n"
        "  take one of these deps out"
    )


def test_a_stage_that_needs_itself() -> None:
    assert "in a circle: a needs a\n" in _message(_stage("a", "o/x", "o"))


@pytest.mark.parametrize(("length", "is_short"), [(19, False), (20, True)])
def test_a_long_circle_is_told_in_short(length: int, is_short: bool) -> None:  # noqa: FBT001 - a table
    ring = [_stage(f"s{n:02}", f"o{(n + 1) % length}", f"o{n}", line=n + 1) for n in range(length)]

    assert (" more)" in _message(*ring)) == is_short


def test_a_chain_of_ten_thousand() -> None:
    graph = build_graph([_stage(f"s{n}", f"o{n + 1}", f"o{n}") for n in range(10_000)])

    assert next(iter(graph.stages)) == "s9999"


@given(st.lists(st.lists(st.integers(0, 11), max_size=3), min_size=1, max_size=12), st.randoms())
def test_every_stage_comes_after_what_it_needs(needs: list[list[int]], random: object) -> None:
    stages = [_stage(f"s{n}", " ".join(f"o{m}" for m in others if m < n), f"o{n}") for n, others in enumerate(needs)]
    random.shuffle(stages)  # type: ignore[attr-defined]  # hypothesis gives a Random

    graph = build_graph(stages)

    order = {name: position for position, name in enumerate(graph.stages)}
    assert set(order) == {stage.name for stage in stages}
    assert all(order[above] < order[name] for name, others in graph.upstream.items() for above in others)
