"""`plan/assign.py`: stages become jobs that keep the order and GitLab's limits, whatever the graph is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from support.job_graphs import CPU, GPU, OWN, graph_of, random_graphs, runner, settings, workload
from swath.errors import UserError
from swath.model.graph import StageGraph
from swath.model.jobs import Job, Workload
from swath.model.plan import DecisionKind
from swath.model.service import Resources
from swath.model.settings import Settings
from swath.plan.assign import assign, most

Loads = dict[str, Workload]


def assigned(
    graph: StageGraph, loads: Loads | None = None, given_settings: Settings | None = None, **kinds: DecisionKind
) -> dict[str, Job]:
    """The jobs of a graph by name; everything runs that `kinds` does not say otherwise."""
    decisions: dict[str, DecisionKind] = {name: kinds.get(name, "run") for name in graph.stages}
    workloads = {name: (loads or {}).get(name, workload()) for name in graph.stages}
    jobs = assign(graph, decisions, workloads, given_settings or settings(CPU, GPU), own_image=OWN)
    return {job.name: job for job in jobs}


def stages_of(jobs: dict[str, Job]) -> dict[str, tuple[str, ...]]:
    """The stages of each job."""
    return {name: job.stages for name, job in jobs.items()}


def wide(items: int, *groups: str) -> dict[str, tuple[str, ...]]:
    """A foreach of so many items, each with a chain of these stages."""
    edges: dict[str, tuple[str, ...]] = {}
    for position, group in enumerate(groups):
        for item in range(items):
            edges[f"{group}@{item:02}"] = (f"{groups[position - 1]}@{item:02}",) if position else ()
    return edges


@effort(max_examples=150, deadline=None)
@given(random_graphs(), st.integers(3, 8), st.integers(8, 40))
def test_any_graph(made: tuple[StageGraph, dict[str, DecisionKind], Loads], needs: int, max_jobs: int) -> None:
    graph, decisions, loads = made
    limits = settings(CPU, GPU, needs=needs, max_jobs=max_jobs)
    try:
        jobs = assign(graph, decisions, loads, limits, own_image=OWN)
    except UserError as error:
        event("more jobs than allowed")
        assert "`ci.max_jobs` allows" in error.message  # noqa: PT017
        return
    event(f"{len(jobs) // 5 * 5} jobs or more")
    event("with joins" if any(not job.stages for job in jobs) else "without joins")
    check_cover(jobs, decisions)
    check_order(jobs, graph)
    check_limits(jobs, loads, limits)
    check_queues(jobs)


def check_cover(jobs: Sequence[Job], decisions: dict[str, DecisionKind]) -> None:
    """Each stage that is to be done is in exactly one job, and no other is."""
    done = [name for job in jobs for name in job.stages]
    assert sorted(done) == sorted(name for name, kind in decisions.items() if kind != "unchanged")
    assert len({job.name for job in jobs}) == len(jobs)


def check_order(jobs: Sequence[Job], graph: StageGraph) -> None:
    """Jobs need earlier jobs only, and a stage's inputs are made before it in its job or in one that the job needs."""
    position = {job.name: number for number, job in enumerate(jobs)}
    behind: dict[str, set[str]] = {}
    job_of = {name: job for job in jobs for name in job.stages}
    for job in jobs:
        assert all(position[need] < position[job.name] for need in job.needs)
        assert job.level == 1 + max((jobs[position[need]].level for need in job.needs), default=-1)
        behind[job.name] = set(job.needs).union(*(behind[need] for need in job.needs))
        for number, name in enumerate(job.stages):
            for up in graph.upstream[name]:
                inside = up in job.stages[:number]
                assert up not in job_of or inside or job_of[up].name in behind[job.name]


def check_limits(jobs: Sequence[Job], loads: Loads, limits: Settings) -> None:
    """Counts, places and names."""
    images = {image for job in jobs for image in job.images}
    assert len(jobs) + len(images) + 3 <= limits.ci.max_jobs
    for job in jobs:
        assert len(job.needs) + bool(job.images) <= limits.ci.needs
        assert len(set(job.needs)) == len(job.needs)
        if job.images:
            assert {loads[name].image for name in job.stages} == {job.image}
            assert not job.runner.lacking(most(loads[name].resources for name in job.stages))


def check_queues(jobs: Sequence[Job]) -> None:
    """Long jobs alone wait in queues; a class has as many as it runs jobs at a time, or one for each work."""
    assert not [
        job for job in jobs if job.queue and ((job.runner.concurrency > 1 and job.interruptible) or not job.stages)
    ]
    for tags, width in ((("cpu",), 3), (("gpu",), 1)):
        long = [job for job in jobs if job.stages and not job.interruptible and tuple(job.runner.tags) == tags]
        shared = {job.queue for job in long if job.queue.startswith(f"swath-{tags[0]}-")}
        assert len(shared) <= width
        assert width > 1 or {job.queue for job in long} <= {"swath-gpu-1"}


@effort(max_examples=30, deadline=None)
@given(random_graphs())
def test_equal_input_gives_equal_jobs(made: tuple[StageGraph, dict[str, DecisionKind], Loads]) -> None:
    graph, decisions, loads = made
    big = settings(CPU, GPU, max_jobs=10_000)
    first = assign(graph, decisions, loads, big, own_image=OWN)
    shuffled = dict(reversed(list(loads.items())))
    assert assign(graph, dict(reversed(list(decisions.items()))), shuffled, big, own_image=OWN) == first


def test_a_chain_is_one_job() -> None:
    jobs = assigned(graph_of({"a": (), "b": ("a",), "c": ("b",)}))
    assert stages_of(jobs) == {"a .. c": ("a", "b", "c")}


def test_another_image_is_another_job() -> None:
    jobs = assigned(graph_of({"a": (), "b": ("a",), "c": ("b",)}), {"c": workload("two")})
    assert stages_of(jobs) == {"a .. b": ("a", "b"), "c": ("c",)}
    assert jobs["c"].needs == ("a .. b",)


def test_another_runner_is_another_job() -> None:
    jobs = assigned(graph_of({"a": (), "b": ("a",)}), {"b": workload(resources=Resources(gpus=1))})
    assert {name: job.runner.tags for name, job in jobs.items()} == {"a": ["cpu"], "b": ["gpu"]}


def test_a_fork_stays_parallel() -> None:
    jobs = assigned(graph_of({"a": (), "b": ("a",), "c": ("a",)}))
    assert stages_of(jobs) == {"a": ("a",), "b": ("b",), "c": ("c",)}


def test_a_wide_group_makes_as_many_jobs_as_runners() -> None:
    jobs = assigned(graph_of(wide(7, "tile")))
    assert stages_of(jobs) == {
        "tile 1/3": ("tile@00", "tile@01"),
        "tile 2/3": ("tile@02", "tile@03"),
        "tile 3/3": ("tile@04", "tile@05", "tile@06"),
    }


def test_chains_of_items_are_one_job_for_each_batch() -> None:
    edges = {**wide(4, "get", "cut", "tile"), "all": tuple(f"tile@{item:02}" for item in range(4))}
    jobs = assigned(graph_of(edges))
    assert jobs["get .. tile 1/3"].stages == ("get@00", "cut@00", "tile@00")
    assert jobs["get .. tile 3/3"].stages[:3] == ("get@02", "cut@02", "tile@02")
    assert jobs["all"].needs == ("get .. tile 1/3", "get .. tile 2/3", "get .. tile 3/3")


def test_what_else_an_item_needs_joins_its_thread() -> None:
    edges = {
        **{f"get@{i}": () for i in "ab"},
        **{f"cut@{i}": (f"get@{i}",) for i in "ab"},
        **{f"tile@{i}": (f"get@{i}", f"cut@{i}") for i in "ab"},
    }
    jobs = assigned(graph_of(edges))
    assert jobs["get@a .. tile@a"].stages == ("get@a", "cut@a", "tile@a")


def test_long_stages_of_an_item_stay_apart() -> None:
    edges = {"get@a": (), "train@a": ("get@a",), "other@a": ("get@a",)}
    loads = {name: workload(interruptible=False) for name in ("train@a", "other@a")}
    assert list(assigned(graph_of(edges), loads)) == ["get@a", "train@a", "other@a"]


def test_batches_of_neighbouring_groups_fit_together() -> None:
    loads = {f"tile@{item:02}": workload("two") for item in range(6)}
    jobs = assigned(graph_of(wide(6, "get", "tile")), loads)
    assert {name: job.needs for name, job in jobs.items() if name.startswith("tile")} == {
        "tile 1/3": ("get 1/3",),
        "tile 2/3": ("get 2/3",),
        "tile 3/3": ("get 3/3",),
    }


def test_only_what_is_to_run_is_in_a_job() -> None:
    jobs = assigned(graph_of({"a": (), "b": ("a",), "c": ("b",)}), a="unchanged")
    assert stages_of(jobs) == {"b .. c": ("b", "c")}


def test_what_is_restored_is_in_one_job_of_our_own() -> None:
    jobs = assigned(graph_of({"a": (), "b": ("a",), "c": ("b",)}), a="restore", b="restore")
    assert stages_of(jobs) == {"restore": ("a", "b"), "c": ("c",)}
    assert (jobs["restore"].image, jobs["restore"].images) == (OWN, ())
    assert jobs["c"].needs == ("restore",)


@pytest.mark.parametrize(("makers", "joins"), [(48, 0), (49, 0), (50, 1), (51, 2), (99, 2), (150, 3)])
def test_needs_at_the_limit(makers: int, joins: int) -> None:
    edges = {**{f"m{number}": () for number in range(makers)}, "all": tuple(f"m{number}" for number in range(makers))}
    jobs = assigned(graph_of(edges), given_settings=settings(CPU))
    found = [job for job in jobs.values() if not job.stages]
    assert sum(1 for job in found if all(need.startswith("m") for need in job.needs)) == joins
    assert all(len(job.needs) <= 50 for job in jobs.values())
    assert len(jobs["all"].needs) <= 49  # one place is kept for the build of its image
    assert {job.image for job in found} <= {OWN}


def test_equal_lists_share_their_joins() -> None:
    makers = tuple(f"m{number}" for number in range(60))
    edges = {**dict.fromkeys(makers, ()), "x": makers, "y": makers}
    jobs = assigned(graph_of(edges))
    assert jobs["x"].needs == jobs["y"].needs == ("join 1", "join 2")


def test_too_few_needs_for_any_tree() -> None:
    edges = {**{f"m{number}": () for number in range(4)}, "all": tuple(f"m{number}" for number in range(4))}
    with pytest.raises(UserError) as error:
        assigned(graph_of(edges), given_settings=settings(CPU, needs=1))
    assert str(error.value) == (
        "swath.yaml: ci.needs: the job 'all' waits for 5 jobs, and `ci.needs` allows 1\n  allow at least 3; GitLab's is 50"
    )


@pytest.mark.parametrize(("max_jobs", "batches"), [(100, 3), (10, 3), (9, 2), (8, 2), (7, 1), (6, 1)])
def test_fewer_jobs_than_runners_when_the_pipeline_may_not_have_more(max_jobs: int, batches: int) -> None:
    jobs = assigned(graph_of({**wide(9, "get"), **wide(9, "x")}), given_settings=settings(CPU, max_jobs=max_jobs))
    assert list(jobs) == [
        f"{g} {n}/{batches}" if batches > 1 else g for g in ("get", "x") for n in range(1, batches + 1)
    ]


@pytest.mark.parametrize(("stages", "jobs"), [(160, 160), (200, 6), (5000, 6)])
def test_stages_without_foreach_share_jobs_when_they_are_more_than_fit(stages: int, jobs: int) -> None:
    pairs = [(group, number) for number in range(stages // 2) for group in "ab"]
    edges = {f"{group}{number}": (f"a{number}",) if group == "b" else () for group, number in pairs}
    loads = {name: workload("one" if name.startswith("a") else "two") for name in edges}
    found = assigned(graph_of(edges), loads, settings(CPU))
    assert len(found) == jobs
    check_order(list(found.values()), graph_of(edges))
    if jobs == 6:
        last = stages // 6 - 1
        assert found[f"b0 .. b{last} 1/3"].needs == (f"a0 .. a{last} 1/3",)


def test_a_long_stage_shares_no_job_with_short_ones() -> None:
    edges: dict[str, tuple[str, ...]] = {f"m{number}": () for number in range(20)}
    loads = {"m7": workload(interruptible=False)}
    found = assigned(graph_of(edges), loads, settings(CPU, max_jobs=10))
    assert stages_of(found)["m7"] == ("m7",)
    assert len(found) == 4


@pytest.mark.parametrize(("max_jobs", "jobs"), [(500, 100), (100, 50), (10, 4), (5, 1)])
def test_deep_graphs_without_foreach_share_jobs_across_depths(max_jobs: int, jobs: int) -> None:
    steps = range(0, 400, 2)
    edges = {f"s{n + lane}": (f"s{n - 2}", f"s{n - 1}") if n else () for n in steps for lane in (0, 1)}
    found = list(assigned(graph_of(edges), given_settings=settings(CPU, max_jobs=max_jobs)).values())
    assert len(found) == jobs
    check_cover(found, dict.fromkeys(edges, "run"))
    check_order(found, graph_of(edges))


def test_joins_leave_room_for_themselves() -> None:
    makers = [f"m{number}" for number in range(160)]
    edges = {**dict.fromkeys(makers, ()), **{f"x{number}": tuple(makers[number:]) for number in range(80)}}
    found = list(assigned(graph_of(edges), given_settings=settings(CPU, max_jobs=300)).values())
    assert len(found) + 1 + 3 <= 300
    check_order(found, graph_of(edges))


def test_more_jobs_than_the_pipeline_may_have() -> None:
    edges = {f"m{number}": (f"m{number - 1}",) if number else () for number in range(6)}
    loads = {f"m{number}": workload(resources=Resources(gpus=1)) for number in range(1, 6, 2)}
    assert len(assigned(graph_of(edges), loads, settings(CPU, GPU, max_jobs=10))) == 6
    with pytest.raises(UserError) as error:
        assigned(graph_of(edges), loads, settings(CPU, GPU, max_jobs=9))
    assert str(error.value) == (
        "swath.yaml: ci.max_jobs: the plan needs at least 10 jobs, and `ci.max_jobs` allows 9\n"
        "  raise ci.max_jobs, if your GitLab allows it, or compile a part: swath compile TARGETS"
    )


def test_joins_that_do_not_fit_are_told_as_too_many_jobs() -> None:
    makers = [f"m{number}" for number in range(5)]
    edges = {**dict.fromkeys(makers, ()), "all": tuple(makers)}
    loads = {name: workload(resources=Resources(gpus=number % 2)) for number, name in enumerate(makers)}
    with pytest.raises(UserError, match=r"the plan needs at least 8 jobs, and `ci.max_jobs` allows 7"):
        assigned(graph_of(edges), loads, settings(CPU, GPU, max_jobs=7, needs=2))


def test_a_job_has_the_most_that_its_stages_ask_for() -> None:
    loads = {"a": workload(resources=Resources(cpus=2)), "b": workload(resources=Resources(cpus=1, memory=None))}
    assert assigned(graph_of({"a": (), "b": ("a",)}), loads)["a .. b"].resources == Resources(cpus=2)


def test_one_long_stage_makes_the_job_uninterruptible() -> None:
    loads = {"b": workload(interruptible=False)}
    assert not assigned(graph_of({"a": (), "b": ("a",)}), loads)["a .. b"].interruptible


def test_the_key_is_that_of_the_work() -> None:
    graph = graph_of({"a": (), "b": ("a",)})
    key = assigned(graph)["a .. b"].key
    assert len(key) == 16
    assert key == assigned(graph)["a .. b"].key
    assert key != assigned(graph, {"b": workload(key="other")})["a .. b"].key
    assert not assigned(graph, {"b": workload(key="")})["a .. b"].key


def test_a_stage_that_is_not_run_needs_no_runner() -> None:
    graph = graph_of({"a": (), "b": ("a",)})
    loads = {"a": workload(resources=Resources(gpus=8))}
    assert list(assigned(graph, loads, a="unchanged")) == ["b"]
    with pytest.raises(UserError, match=r"no runner of swath.yaml can run the stage a, which asks for 8 gpus"):
        assigned(graph, loads)


def test_classes_of_equal_tags_are_two_places() -> None:
    large = runner("x", gpus=1, price_per_hour=1)
    loads = {"b": workload(resources=Resources(gpus=1))}
    jobs = assigned(graph_of({"a": (), "b": ("a",)}), loads, settings(runner("x"), large))
    assert {name: job.runner.gpus for name, job in jobs.items()} == {"a": 0, "b": 1}


def test_the_workload_of_a_stage_without_key_is_still_planned() -> None:
    load = replace(workload(), key="")
    assert list(assigned(graph_of({"a": ()}), {"a": load})) == ["a"]
