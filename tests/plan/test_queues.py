"""`plan/queues.py`: long jobs wait where GitLab drops no job, whatever comes of each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from support.job_graphs import CPU, GPU, OWN, graph_of, runner, settings, workload
from support.pipeline_clock import Clock
from swath.emit.own_jobs import Own
from swath.emit.pipeline import Context, child_pipeline
from swath.model.jobs import Job, PipelinePlan
from swath.model.plan import DecisionKind
from swath.model.runner import Runner
from swath.model.service import Resources
from swath.plan.assign import assign

HOUR = 3600.0
FOUR = runner("gpu", concurrency=4, gpus=1, price_per_hour=2)


def training(key: str = "k", image: str = "train") -> dict[str, Any]:
    """The fields of a training's workload."""
    return {"image": image, "resources": Resources(gpus=1), "interruptible": False, "key": key}


def jobs_of(
    edges: Mapping[str, Sequence[str]], gpu: Runner = GPU, keys: Mapping[str, str] | None = None, **kinds: DecisionKind
) -> tuple[Job, ...]:
    """The jobs of a graph in which what begins with `train` is a training, in an image of its own."""
    graph = graph_of(edges)
    loads = {
        name: workload(**training((keys or {}).get(name, name), name)) if name.startswith("train") else workload()
        for name in edges
    }
    decisions: dict[str, DecisionKind] = {name: kinds.get(name, "run") for name in edges}
    return assign(graph, decisions, loads, settings(CPU, gpu), own_image=OWN)


def queues(jobs: Sequence[Job]) -> dict[str, str]:
    """The queue of each job with stages."""
    return {job.name: job.queue for job in jobs if job.stages}


def document(jobs: tuple[Job, ...]) -> dict[str, Any]:
    """The child pipeline."""
    context = Context(Own(OWN, CPU, (18, 0)), (), "1r", 50)
    return child_pipeline(PipelinePlan("c" * 40, 1, jobs), context)


def clock(gpus: int, *fails: str, **hours: float) -> Clock:
    """A project's runners."""
    seconds = {name: each * HOUR for name, each in hours.items()}
    return Clock({("gpu",): gpus, ("cpu",): 3}, seconds, frozenset(fails))


def ends(made: Clock) -> dict[str, tuple[str, int]]:
    """What came of each job, and how often it was dropped; of the first pipeline."""
    return {job.name: (job.state, job.dropped) for job in made.jobs if job.pipeline == 0}


def test_two_long_trainings_on_one_gpu_are_not_dropped() -> None:
    made = clock(1, train_a=40, train_b=40)
    made.create(document(jobs_of({"train_a": (), "train_b": ()})))
    made.run()
    assert ends(made) == {"train_a": ("success", 0), "train_b": ("success", 0), "collect": ("success", 0)}
    assert made.now_s == 80 * HOUR + 60


def test_one_that_fails_does_not_skip_the_other() -> None:
    made = clock(1, "train_a", train_a=40, train_b=40)
    made.create(document(jobs_of({"train_a": (), "train_b": ()})))
    made.run()
    assert ends(made) == {"train_a": ("failed", 0), "train_b": ("success", 0), "collect": ("success", 0)}


def test_trainings_of_several_branches_wait_for_each_other() -> None:
    made = clock(1, train=40)
    for branch in ("a", "b", "c", "d"):
        made.create(document(jobs_of({"train": ()}, keys={"train": branch})))
        made.run(made.now_s + HOUR)
    made.run()
    assert {job.dropped for job in made.jobs} == {0}
    assert {job.state for job in made.jobs} == {"success"}


def test_all_gpus_work_and_none_of_many_trainings_is_dropped() -> None:
    names = [f"train_{number}" for number in range(9)]
    made = clock(4, **dict.fromkeys(names, 40.0))
    made.create(document(jobs_of(dict.fromkeys(names, ()), FOUR)))
    made.run()
    assert {job.dropped for job in made.jobs} == {0}
    assert made.now_s == 3 * 40 * HOUR + 60  # nine on four: nothing stands idle before the third round


def test_what_is_short_has_no_queue() -> None:
    found = queues(jobs_of({"prepare": (), "train": ("prepare",), "judge": ("train",)}))
    assert found == {"prepare": "", "train": "swath-gpu-1", "judge": ""}


def evaluation(gpu: Runner) -> tuple[Job, ...]:
    """A training, and what is short behind it on the same GPUs; the training has its results."""
    graph = graph_of({"train": (), "evaluate": ("train",)})
    short = workload(image="evaluate", resources=Resources(gpus=1), expected_s=60.0)
    loads = {"train": workload(**training()), "evaluate": short}
    return assign(graph, {"train": "unchanged", "evaluate": "run"}, loads, settings(CPU, gpu), own_image=OWN)


def test_what_is_short_waits_with_the_long_jobs_of_the_only_gpu() -> None:
    made = clock(1, train=80)
    made.create(document(jobs_of({"train": ()})))
    made.run(HOUR)
    made.create(document(evaluation(GPU)))
    made.run()
    assert (made.job("evaluate", 1).state, made.job("evaluate", 1).dropped) == ("success", 0)
    assert queues(evaluation(GPU)) == {"evaluate": "swath-gpu-1"}
    assert queues(evaluation(FOUR)) == {"evaluate": ""}  # it waits for one of four


def test_where_there_is_room_for_all_only_equal_work_waits() -> None:
    """Four GPUs and one training: trainings of four branches run side by side, the same work twice does not."""
    found = [queues(jobs_of({"train": ()}, FOUR, {"train": key}))["train"] for key in ("a", "b", "a")]
    assert found[0] == found[2] != found[1]
    assert all(re.fullmatch("swath-[0-9a-f]{16}", queue) for queue in found)
    assert queues(jobs_of({"train": ()}, FOUR, {"train": ""}))["train"] == ""  # as inside a job


def test_more_trainings_than_gpus_are_spread_and_keep_their_place() -> None:
    names = [f"train_{number}" for number in range(6)]
    every = queues(jobs_of(dict.fromkeys(names, ()), FOUR))
    assert list(every.values()) == [f"swath-gpu-{number}" for number in (1, 2, 3, 4, 1, 2)]
    rest = queues(jobs_of(dict.fromkeys(names, ()), FOUR, None, train_0="unchanged", train_1="restore"))
    assert {name: rest[name] for name in names[2:]} == {name: every[name] for name in names[2:]}


def test_two_of_one_place_part_when_another_is_free() -> None:
    names = [f"train_{number}" for number in range(6)]
    kinds: dict[str, DecisionKind] = {name: "unchanged" for name in names if name not in {"train_0", "train_4"}}
    found = queues(jobs_of(dict.fromkeys(names, ()), FOUR, None, **kinds))
    assert found == {"train_0": "swath-gpu-1", "train_4": "swath-gpu-2"}


@pytest.mark.parametrize(
    ("tags", "queue"),
    [
        (["gpu", "a100"], r"swath-gpu\.a100-1"),
        (["a.b"], r"swath-a-b-[0-9a-f]{8}-1"),
        (["größe $X/y"], r"swath-gr--e--X-y-[0-9a-f]{8}-1"),
        (["t" * 300], r"swath-t{150}-[0-9a-f]{8}-1"),
    ],
)
def test_names_are_such_that_gitlab_takes_them(tags: list[str], queue: str) -> None:
    gpu = Runner(tags=tags, concurrency=1, gpus=1, price_per_hour=2)
    assert re.fullmatch(queue, queues(jobs_of({"train": ()}, gpu))["train"])
