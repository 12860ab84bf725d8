"""What goes wrong while a pipeline runs: nothing is lost, nothing wrong is recorded, and a message says what to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from support.gitlab_project import GitLabProject
from support.gitlab_variables import MergeRequest
from support.small_project import PARTS, STAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.job_container import Attempt, Task

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1500)]
SLOWLY = "print('drawing', options.name, flush=True); import time; time.sleep(3)\n"


def test_a_killed_job_goes_on_where_it_was(small: GitLabProject) -> None:
    swath = small.bench.read("swath.yaml").replace("memory: 2GiB", "memory: 2GiB\n  concurrency: 1")
    slow = small.bench.read("services/draw/draw.py") + SLOWLY
    small.push("One by one", {"swath.yaml": swath, "services/draw/draw.py": slow})

    def watch(task: Task, attempt: Attempt) -> None:
        if task.name.startswith("draw") and attempt.number == 1:
            _until(lambda: "drawing b" in attempt.log)
            attempt.kill("runner_system_failure")

    small.house.watch = watch
    run = small.pipeline()
    assert run.status == "success", run.story()
    (draw,) = (job for job in run.all_jobs() if job.name.startswith("draw"))
    assert [attempt.exit_code for attempt in draw.attempts] == [137, 0]
    assert [[f"drawing {part}" in attempt.log for part in PARTS] for attempt in draw.attempts] == [
        [True, True, False],
        [False, True, True],
    ]
    assert small.ran(run) == sorted(STAGES)


def test_a_fork_is_checked_and_planned_only(small: GitLabProject) -> None:
    run = small.pipeline(merge_request=MergeRequest(5, "main", from_fork=True))
    assert run.names() == ["swath:lint", "swath:plan"]


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
