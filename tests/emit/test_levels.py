"""A level that knows the next one: whatever fails, `collect` records what was done."""

from __future__ import annotations

from typing import Any

import pytest

from support.job_graphs import CPU, OWN
from support.pipeline_clock import Clock
from swath.emit.own_jobs import Own
from swath.emit.pipeline import Context, child_pipeline
from swath.model.jobs import Job, PipelinePlan
from swath.model.service import Resources

SEARCH = Job("search", ("search",), OWN, CPU, Resources(), (), 600, True, "", 0)  # noqa: FBT003


def document() -> dict[str, Any]:
    """The first level."""
    context = Context(Own(OWN, CPU, (18, 2)), (), "1r", 50)
    return child_pipeline(PipelinePlan("c" * 40, 1, (SEARCH,), continues=True), context)


@pytest.mark.parametrize(
    ("failed", "ends"),
    [
        (None, {"search": "success", "plan": "success", "level-2": "success", "collect": "skipped"}),
        ("search", {"search": "failed", "plan": "skipped", "level-2": "skipped", "collect": "success"}),
        ("plan", {"search": "success", "plan": "failed", "level-2": "skipped", "collect": "success"}),
        ("level-2", {"search": "success", "plan": "success", "level-2": "failed", "collect": "success"}),
    ],
)
def test_collect_runs_when_anything_failed_the_next_level_among_it(failed: str | None, ends: dict[str, str]) -> None:
    made = Clock({("cpu",): 1}, fails=frozenset({failed} if failed else ()))
    made.create(document())
    made.run()
    assert {job.name: job.state for job in made.jobs} == ends
