"""Graphs, workloads and settings for tests of jobs: small to write, and random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from swath.model.graph import StageGraph
from swath.model.jobs import Workload
from swath.model.plan import DecisionKind
from swath.model.runner import Runner
from swath.model.service import Resources
from swath.model.settings import ContinuousIntegration, Settings
from swath.model.stage import Stage
from swath.model.units import Size

OWN = "$CI_REGISTRY_IMAGE/swath:1"
GIB = 2**30


def stage(name: str, file: str = "dvc.yaml") -> Stage:
    """A stage; `name` is its key: ``tile@a``."""
    whole = name if file == "dvc.yaml" else f"{file}:{name}"
    return Stage(name=whole, file=file, key=name, group=name.partition("@")[0], cmd="true", wdir=".")


def graph_of(edges: Mapping[str, Sequence[str]]) -> StageGraph:
    """A graph from each stage's upstream stages; in topological order."""
    downstream: dict[str, list[str]] = {name: [] for name in edges}
    for name, ups in edges.items():
        for up in ups:
            downstream[up].append(name)
    return StageGraph(
        {name: stage(name) for name in edges},
        {name: tuple(ups) for name, ups in edges.items()},
        {name: tuple(downs) for name, downs in downstream.items()},
    )


def workload(image: str = "one", **fields: Any) -> Workload:
    """What a stage needs."""
    defaults: dict[str, Any] = {
        "service": image,
        "resources": Resources(),
        "timeout_s": 600.0,
        "retries": 0,
        "expected_s": 150.0,
        "key": f"key of {image}",
        "images": (image,),
    }
    return Workload(image=image, **{**defaults, **fields})


def settings(*runners: Runner, **ci: Any) -> Settings:
    """Settings with these runners."""
    return Settings(runners=list(runners or [Runner()]), ci=ContinuousIntegration(**ci))


def runner(tag: str, **fields: Any) -> Runner:
    """A class of runners."""
    return Runner(tags=[tag], **fields)


CPU = runner("cpu", concurrency=3, memory=Size(16 * GIB))
GPU = runner("gpu", concurrency=1, gpus=1, memory=Size(64 * GIB), price_per_hour=2)


@st.composite
def random_graphs(draw: st.DrawFn) -> tuple[StageGraph, dict[str, DecisionKind], dict[str, Workload]]:
    """Groups of one or many items with edges forward at random, decisions that are possible, and workloads."""
    edges: dict[str, tuple[str, ...]] = {}
    items = [f"i{number}" for number in range(draw(st.integers(1, 6)))]
    loads: dict[str, Workload] = {}
    for number in range(draw(st.integers(1, 7))):
        load = draw(_workloads())
        names = [f"g{number}@{item}" for item in items] if draw(st.booleans()) else [f"g{number}"]
        before = list(edges)
        for name in names:
            same_item = [up for up in before if "@" in name and up.endswith("@" + name.partition("@")[2])]
            pool = same_item if same_item and draw(st.booleans()) else list(edges)
            edges[name] = tuple(draw(st.lists(st.sampled_from(pool), unique=True, max_size=6))) if pool else ()
            loads[name] = load
        if draw(st.integers(0, 4)) == 0:
            edges[f"all{number}"] = tuple(edges)
            loads[f"all{number}"] = load
    return graph_of(edges), draw(_decisions(edges)), loads


def _workloads() -> st.SearchStrategy[Workload]:
    return st.builds(
        workload,
        image=st.sampled_from(["one", "two"]),
        resources=st.sampled_from([Resources(), Resources(gpus=1), Resources(memory=Size(8 * GIB))]),
        interruptible=st.booleans(),
    )


@st.composite
def _decisions(draw: st.DrawFn, edges: Mapping[str, Sequence[str]]) -> dict[str, DecisionKind]:
    found: dict[str, DecisionKind] = {}
    everything = draw(st.booleans())
    for name, ups in edges.items():
        if everything or any(found[up] == "run" for up in ups):
            found[name] = "run"
        else:
            found[name] = draw(st.sampled_from(["unchanged", "restore", "run"]))
    return found
