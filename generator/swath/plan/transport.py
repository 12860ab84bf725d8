"""See that data can come from job to job: between two jobs it goes through the DVC remote alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import UserError
from swath.plan.decide import touches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from swath.model.graph import StageGraph
    from swath.model.jobs import Job
    from swath.model.plan import DecisionKind
    from swath.model.stage import Stage


def check_transport(graph: StageGraph, decisions: Mapping[str, DecisionKind], jobs: Iterable[Job]) -> None:
    """See that no job needs an output with ``push: false`` that it does not make itself.

    Args:
        decisions: of all stages.
        jobs: those that do what was decided.

    Raises:
        UserError: a stage to run reads such an output.
    """
    kept_back = {name for name, stage in graph.stages.items() if any(not out.push for out in stage.outs)}
    job_of = {name: job.name for job in jobs for name in job.stages} if kept_back else {}
    for maker in (name for name in graph.stages if name in kept_back):
        for reader in graph.downstream[maker]:
            if decisions[reader] == "run" and job_of[reader] != job_of.get(maker):
                _check(graph.stages[maker], graph.stages[reader])


def _check(maker: Stage, reader: Stage) -> None:
    for out in maker.outs:
        if out.cache and not out.push and any(touches(out.path, dep.path) for dep in reader.deps):
            message = f"it reads {out.path}, which {maker.name} makes with `push: false`"
            hint = f"between jobs, data goes through the DVC remote alone: take `push: false` away ({maker.place})"
            raise UserError(message, place=reader.place, hint=hint)
