"""The document that `swath plan --json` prints, version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from swath.schema.json_values import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.jobs import PipelinePlan
    from swath.model.plan import Decision
    from swath.model.stage import JSONValue

VERSION: Final = 1


class ReasonDocument(TypedDict):
    """A reason; `old` and `new` are a hash, a value as `schema/json_values.py` writes it, or null."""

    kind: str
    path: str
    old: JSONValue
    new: JSONValue


class StageDocument(TypedDict):
    """A stage and its decision; `service` and `job` may be null."""

    name: str
    decision: str
    reasons: list[ReasonDocument]
    service: str | None
    job: str | None


class JobDocument(TypedDict):
    """A GitLab CI job that runs stages, or one that only joins others; builds of images are no part of a plan."""

    name: str
    stages: list[str]
    image: str
    tags: list[str]
    needs: list[str]


class PlanDocument(TypedDict):
    """A plan; `jobs` are GitLab CI jobs, none in a local plan."""

    version: int
    stages: list[StageDocument]
    jobs: list[JobDocument]


def plan_document(
    decisions: Mapping[str, Decision], services: Mapping[str, str | None], plan: PipelinePlan | None = None
) -> PlanDocument:
    """The document of a plan, stages in the plan's order, jobs in that of the YAML.

    Args:
        services: stage name to service name.
        plan: its jobs; None: they were not asked for.
    """
    jobs = plan.jobs if plan else ()
    job_of = {name: job.name for job in jobs for name in job.stages}
    stages: list[StageDocument] = [
        {
            "name": name,
            "decision": decision.kind,
            "reasons": [
                {"kind": reason.kind, "path": reason.path, "old": to_json(reason.old), "new": to_json(reason.new)}
                for reason in decision.reasons
            ],
            "service": services.get(name),
            "job": job_of.get(name),
        }
        for name, decision in decisions.items()
    ]
    documents: list[JobDocument] = [
        {
            "name": job.name,
            "stages": list(job.stages),
            "image": job.image,
            "tags": list(job.runner.tags),
            "needs": list(job.needs),
        }
        for job in jobs
    ]
    return {"version": VERSION, "stages": stages, "jobs": documents}
