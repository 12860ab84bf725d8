"""A plan -> the document of a GitLab child pipeline. Pure.

    build ─▶ stages-1 … stages-n ─▶ collect                        the last level of stages
    build ─▶ stages-1 … stages-n ─▶ plan ─▶ level-2 ─▶ collect     a stage says which stages there are

In the second form `collect` runs only when something before it failed, the trigger of the next level among them (GitLab
may refuse that level's file, and then nothing else would record): else the next level records both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swath.emit.job import Keywords, join_job, stage_job
from swath.emit.own_jobs import (
    COLLECT,
    NEXT_LEVEL,
    NOTHING,
    PLAN,
    Build,
    Own,
    auto_cancel,
    build_image_job,
    collect_job,
    nothing_job,
    plan_job,
    trigger_job,
)
from swath.emit.yaml import FlowMap
from swath.limits import LEAST_JOB_TIMEOUT_S
from swath.model.jobs import Job, PipelinePlan
from swath.model.join_tree import JoinTree
from swath.model.service import Resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.model.stage import JSONValue

_BUILD_STAGE: Final = "build"
_IMAGES: Final = "images"  # joins over builds


@dataclass(frozen=True, slots=True)
class Context:
    """What the document needs beside the plan.

    Attributes:
        builds: images to make.
        decisions: of all stages, as `schema/decisions_text.py` writes them.
        needs: entries of one job's `needs`.
    """

    own: Own
    builds: Sequence[Build]
    decisions: str
    needs: int


def child_pipeline(plan: PipelinePlan, context: Context) -> dict[str, JSONValue]:
    """The document; jobs in the order of the plan."""
    own = context.own
    if not plan.jobs and not plan.continues and plan.level == 1:
        return {**_head(plan, context, [NOTHING]), NOTHING: nothing_job(own)}
    jobs: dict[str, JSONValue] = {build.name: build_image_job(build, own) for build in context.builds}
    jobs.update(_stage_jobs(plan, context))
    deepest = max((job.level for job in plan.jobs), default=-1)
    ci_stages = [*([_BUILD_STAGE] if context.builds else []), *(f"stages-{n + 1}" for n in range(deepest + 1))]
    if plan.continues:
        file = f"child-{plan.level + 1}.yml"
        ci_stages += [PLAN, NEXT_LEVEL, COLLECT]
        jobs[PLAN] = plan_job(own, plan.level + 1, file)
        jobs[NEXT_LEVEL] = trigger_job(own, file)
        jobs[COLLECT] = collect_job(own, plan.digest, when="on_failure")
    else:
        ci_stages.append(COLLECT)
        jobs[COLLECT] = collect_job(own, plan.digest, when="always")
    return {**_head(plan, context, ci_stages), **jobs}


def _head(plan: PipelinePlan, context: Context, ci_stages: Sequence[str]) -> dict[str, JSONValue]:
    # Without rules that let them in, GitLab makes no jobs below a merge request's pipeline.
    rules = [FlowMap({"if": '$CI_PIPELINE_SOURCE == "parent_pipeline"'}), FlowMap(when="always")]
    stopping = auto_cancel(context.own.version) if plan.continues else {}
    return {
        "workflow": {**stopping, "rules": rules},
        "stages": list(ci_stages),
        "variables": {"SWATH_LEVEL": str(plan.level), "SWATH_DECISIONS": context.decisions},
    }


def _stage_jobs(plan: PipelinePlan, context: Context) -> dict[str, Keywords]:
    build_of = {build.reference: build.name for build in context.builds}
    tree = JoinTree(context.needs, _IMAGES)
    jobs: dict[str, Keywords] = {}
    for job in plan.jobs:
        ci_stage = f"stages-{job.level + 1}"
        if not job.stages:
            jobs[job.name] = join_job(job, ci_stage, context.own.version)
            continue
        builds = [build_of[image] for image in job.images if image in build_of]
        room = min(len(job.needs), context.needs - 1)
        short = tree.shortened(builds, job.name, room=room)
        for join, inner in tree.joins.items():
            if join not in jobs:
                jobs[join] = join_job(_join(join, inner, context.own), _BUILD_STAGE, context.own.version)
        jobs[job.name] = stage_job(job, ci_stage, short, plan, context.own.version)
    return jobs


def _join(name: str, inner: tuple[str, ...], own: Own) -> Job:
    return Job(name, (), own.image, own.runner, Resources(), inner, LEAST_JOB_TIMEOUT_S, True, "", 0)  # noqa: FBT003
