"""Assign stages to GitLab CI jobs.

    graph + decisions ─▶ runner of each stage ─▶ threads ─▶ batches ─▶ names ─▶ needs, with joins ─▶ queues ─▶ Jobs

Pure and stable: equal input gives equal jobs in equal order. Called by `job/planned.py`, for `swath compile` and again
inside every job.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swath.errors import Place, UserError
from swath.limits import LEAST_JOB_TIMEOUT_S, PARSED_BYTES_OF_A_JOB, parsed_bytes_of_a_file
from swath.model.jobs import Job
from swath.model.join_tree import JoinTree
from swath.model.service import Resources
from swath.plan.batch import Batch, Width, batches
from swath.plan.choose_runner import cheapest_runner, choose_runner
from swath.plan.fuse import Thread, fuse
from swath.plan.gather import gather
from swath.plan.job_names import RESTORE, job_names
from swath.plan.queues import with_queues
from swath.plan.timeouts import job_timeout_s
from swath.plan.work_key import joint_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from swath.model.graph import StageGraph
    from swath.model.jobs import Workload
    from swath.model.plan import DecisionKind
    from swath.model.runner import Runner
    from swath.model.settings import Settings

OWN_JOBS: Final = 3  # collect, and the plan and trigger jobs of a further level
RESTORE_TIMEOUT_S: Final = 3600
_BARE_JOB_BYTES: Final = 5000  # that a job takes in GitLab's memory, without its needs
_NEED_BYTES: Final = 50  # that one of these takes beside its letters


@dataclass(frozen=True, slots=True)
class _Input:
    graph: StageGraph
    decisions: Mapping[str, DecisionKind]
    workloads: Mapping[str, Workload]
    settings: Settings
    own_image: str

    def to_run(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if self.decisions[name] == "run")


def assign(
    graph: StageGraph,
    decisions: Mapping[str, DecisionKind],
    workloads: Mapping[str, Workload],
    settings: Settings,
    *,
    own_image: str,
) -> tuple[Job, ...]:
    """The jobs that do what was decided.

    Args:
        decisions: of all stages.
        workloads: of all stages.
        own_image: the image of jobs that start no service.

    Returns:
        Jobs in topological order; each stage to run is in exactly one, those to restore are all in the job `restore`.

    Raises:
        UserError: no runner can run a stage, or there are more jobs than `ci.max_jobs` or `ci.needs` can hold.
    """
    given = _Input(graph, decisions, workloads, settings, own_image)
    runners = _runners(given)
    long = {name for name, load in workloads.items() if not load.interruptible}
    classes = settings.runners
    places = {name: (load.image, classes.index(runners[name])) for name, load in workloads.items()}
    threads = fuse(graph, places, long)
    # A small file, but for what cannot be smaller; and stages that no `foreach` makes alike apart, while there is room.
    fewest = 0
    for parsed_bytes in (parsed_bytes_of_a_file(settings.ci.version), None):
        for widths in _narrowing(given, threads, runners):
            jobs = _fitting_jobs(given, widths, parsed_bytes)
            if jobs is not None:
                return with_queues(jobs, threads, runners)
            fewest = len(widths) + any(_restored(given)) + _extra_jobs(given)
    raise _too_many(settings, max(fewest, settings.ci.max_jobs + 1))  # joins come on top


def _runners(given: _Input) -> dict[str, Runner]:
    """The runner of each stage; of equal demands it is looked for once. Only what is to run must find one."""
    known: dict[Resources, Runner] = {}
    cheapest = cheapest_runner(given.settings.runners)
    found: dict[str, Runner] = {}
    for name, load in given.workloads.items():
        if load.resources not in known:
            try:
                known[load.resources] = choose_runner(given.graph.stages[name], load.resources, given.settings.runners)
            except UserError:
                if given.decisions[name] == "run":
                    raise
                found[name] = cheapest
                continue
        found[name] = known[load.resources]
    return found


def _widths(given: _Input, threads: Sequence[Thread], runners: Mapping[str, Runner]) -> list[Width]:
    """Threads of one form and depth; the order is that of their first threads."""
    forms: dict[object, list[Thread]] = {}
    for thread in threads:
        stages = (given.graph.stages[name] for name in thread.stages)
        form = (thread.place, thread.depth, tuple((stage.file, stage.group) for stage in stages))
        forms.setdefault(form, []).append(thread)
    widths = []
    for equal in forms.values():
        active = tuple(names for thread in equal if (names := given.to_run(thread.stages)))
        if active:
            widths.append((equal[0].depth, Width(runners[equal[0].stages[0]], active)))
    return [width for _, width in sorted(widths, key=lambda pair: pair[0])]


def _narrowing(given: _Input, threads: Sequence[Thread], runners: Mapping[str, Runner]) -> Iterator[Sequence[Width]]:
    """Widths to try one after the other: always fewer, for graphs of hundreds of stages without `foreach`."""
    yield _widths(given, threads, runners)
    active = {number: names for number, thread in enumerate(threads) if (names := given.to_run(thread.stages))}
    deepest = max((threads[number].depth for number in active), default=0)
    most = max(given.settings.ci.max_jobs - _extra_jobs(given), 0)
    for doublings in range((deepest + 1).bit_length() + 1):
        found = gather(threads, active, 2**doublings, most)
        yield [Width(runners[each.first.stages[0]], each.parts) for each in found]


def _fitting_jobs(given: _Input, widths: Sequence[Width], parsed_bytes: int | None) -> tuple[Job, ...] | None:
    """The jobs of as many batches as may be; None: even the fewest are too many.

    Args:
        parsed_bytes: that the jobs may take in GitLab's memory; None: only their number counts.
    """
    most = given.settings.ci.max_jobs - _extra_jobs(given)
    most_bytes = None if parsed_bytes is None else parsed_bytes - _extra_jobs(given) * PARSED_BYTES_OF_A_JOB
    room = most if most_bytes is None else min(most, most_bytes // PARSED_BYTES_OF_A_JOB)
    room -= any(_restored(given))
    while (found := batches(widths, room)) is not None:
        jobs = _jobs(given, found)
        over = len(jobs) - most
        if most_bytes is not None:
            over = max(over, -(-(_parsed_bytes(jobs) - most_bytes) // PARSED_BYTES_OF_A_JOB))
        if over <= 0:
            return jobs
        if not found:
            break
        room = max(len(found) - over, len(found) * 3 // 4)  # with fewer batches there are fewer joins
    return None


def _parsed_bytes(jobs: Iterable[Job]) -> int:
    """What jobs take in GitLab's memory, about and rather too much; `emit/parsed_size.py` counts it."""
    texts = ((4 * len(job.name), *(2 * len(need) + _NEED_BYTES for need in job.needs)) for job in jobs)
    return sum(max(PARSED_BYTES_OF_A_JOB, _BARE_JOB_BYTES + sum(each)) for each in texts)


def _too_many(settings: Settings, count: int) -> UserError:
    message = f"the plan needs at least {count} jobs, and `ci.max_jobs` allows {settings.ci.max_jobs}"
    hint = "raise ci.max_jobs, if your GitLab allows it, or compile a part: swath compile TARGETS"
    return UserError(message, place=Place("swath.yaml", key="ci.max_jobs"), hint=hint)


def _extra_jobs(given: _Input) -> int:
    """Jobs that may come on top: a build of each image, and our own. Whether an image is there is no part of a plan."""
    names = given.to_run(given.graph.stages)
    return len({image for name in names for image in given.workloads[name].images}) + OWN_JOBS


def _restored(given: _Input) -> tuple[str, ...]:
    return tuple(name for name in given.graph.stages if given.decisions[name] == "restore")


def _jobs(given: _Input, found: Sequence[Batch]) -> tuple[Job, ...]:
    names = job_names(found, given.graph)
    job_of = {stage: name for batch, name in zip(found, names, strict=True) for stage in batch.stages}
    restored = _restored(given)
    job_of.update(dict.fromkeys(restored, RESTORE))
    tree = JoinTree(given.settings.ci.needs)
    done: dict[str, Job] = {}
    if restored:
        done[RESTORE] = _own_job(given, RESTORE, (), done, restored)
    for batch, name in zip(found, names, strict=True):
        upstream = (up for stage in batch.stages for up in given.graph.upstream[stage])
        needs = dict.fromkeys(job_of[up] for up in upstream if up in job_of and job_of[up] != name)
        room = min(1, len({image for stage in batch.stages for image in given.workloads[stage].images}))
        short = tree.shortened(list(needs), name, room=room)
        for join, inner in tree.joins.items():
            if join not in done:
                done[join] = _own_job(given, join, inner, done)
        done[name] = _stage_job(given, batch, name, short, done)
    return tuple(done.values())


def _level(needs: Iterable[str], done: Mapping[str, Job]) -> int:
    return 1 + max((done[need].level for need in needs), default=-1)


def _stage_job(given: _Input, batch: Batch, name: str, needs: tuple[str, ...], done: Mapping[str, Job]) -> Job:
    loads = [given.workloads[stage] for stage in batch.stages]
    return Job(
        name=name,
        stages=batch.stages,
        image=loads[0].image,
        runner=batch.runner,
        resources=most(load.resources for load in loads),
        needs=needs,
        timeout_s=job_timeout_s(loads),
        interruptible=all(load.interruptible for load in loads),
        key=joint_key(load.key for load in loads)[:16],
        level=_level(needs, done),
        images=tuple(sorted({image for load in loads for image in load.images})),
    )


def _own_job(
    given: _Input, name: str, needs: tuple[str, ...], done: Mapping[str, Job], stages: tuple[str, ...] = ()
) -> Job:
    return Job(
        name=name,
        stages=stages,
        image=given.own_image,
        runner=cheapest_runner(given.settings.runners),
        resources=Resources(),
        needs=needs,
        timeout_s=RESTORE_TIMEOUT_S if stages else LEAST_JOB_TIMEOUT_S,
        interruptible=True,
        key="",
        level=_level(needs, done),
    )


def most(demands: Iterable[Resources]) -> Resources:
    """Of each resource the most that is asked for: stages of one job run one after the other."""
    result = Resources()
    for demand in demands:
        result = Resources(
            **{
                name: max((value for value in pair if value is not None), default=None)
                for name in ("cpus", "memory", "disk", "gpus", "shm", "pids")
                if (pair := (getattr(result, name), getattr(demand, name)))
            }
        )
    return result
