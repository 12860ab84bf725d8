"""`plan/transport.py`: what may not be pushed does not leave its job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from support.job_graphs import CPU, OWN, graph_of, settings, workload
from swath.errors import Place, UserError
from swath.model.graph import StageGraph
from swath.model.plan import DecisionKind
from swath.model.stage import Dependency, Output
from swath.plan.assign import assign
from swath.plan.transport import check_transport


def check(images: Mapping[str, str], out: Output, read: str, **kinds: DecisionKind) -> None:
    """Plan `make` and `use`, which reads the path `read`, in these images, and check the jobs."""
    graph = graph_of({"make": (), "use": ("make",)})
    make = replace(graph.stages["make"], outs=(out,), place=Place("dvc.yaml", 2))
    use = replace(graph.stages["use"], deps=(Dependency(read, read),), place=Place("dvc.yaml", 9))
    graph = StageGraph({"make": make, "use": use}, graph.upstream, graph.downstream)
    decisions: dict[str, DecisionKind] = {name: kinds.get(name, "run") for name in graph.stages}
    loads = {name: workload(images[name]) for name in graph.stages}
    check_transport(graph, decisions, assign(graph, decisions, loads, settings(CPU), own_image=OWN))


MESSAGE = (
    "dvc.yaml:9: it reads big, which make makes with `push: false`\n"
    "  between jobs, data goes through the DVC remote alone: take `push: false` away (dvc.yaml:2)"
)
APART = {"make": "one", "use": "two"}
KEPT = Output("big", "big", push=False)


@pytest.mark.parametrize("read", ["big", "big/part"])
@pytest.mark.parametrize("make", ["run", "unchanged", "restore"])
def test_an_output_that_is_not_pushed_is_not_read_in_another_job(make: DecisionKind, read: str) -> None:
    with pytest.raises(UserError) as caught:
        check(APART, KEPT, read, make=make)
    assert str(caught.value) == MESSAGE


def test_in_one_job_it_may_be_read() -> None:
    check({"make": "one", "use": "one"}, KEPT, "big")


def test_when_nothing_reads_it_now_all_is_well() -> None:
    check(APART, KEPT, "big", use="unchanged", make="unchanged")


@pytest.mark.parametrize("out", [replace(KEPT, push=True), replace(KEPT, cache=False), replace(KEPT, path="other")])
def test_what_is_pushed_or_in_git_or_not_read_is_no_matter(out: Output) -> None:
    check(APART, out, "big")
