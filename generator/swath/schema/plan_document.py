"""The document that `swath plan --json` prints, version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.plan import Decision
    from swath.model.stage import JSONValue

VERSION: Final = 1


class ReasonDocument(TypedDict):
    """A reason; `old` and `new` are a hash, a JSON value or null."""

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


class PlanDocument(TypedDict):
    """A plan; `jobs` are GitLab CI jobs, none in a local plan."""

    version: int
    stages: list[StageDocument]
    jobs: list[JSONValue]


def plan_document(decisions: Mapping[str, Decision], services: Mapping[str, str | None]) -> PlanDocument:
    """The document of a plan, stages in the plan's order.

    Args:
        services: stage name to service name.
    """
    stages: list[StageDocument] = [
        {
            "name": name,
            "decision": decision.kind,
            "reasons": [
                {"kind": reason.kind, "path": reason.path, "old": reason.old, "new": reason.new}
                for reason in decision.reasons
            ],
            "service": services.get(name),
            "job": None,
        }
        for name, decision in decisions.items()
    ]
    return {"version": VERSION, "stages": stages, "jobs": []}
