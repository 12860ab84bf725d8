"""A registry that fails for a while, or refuses us: the plan job waits, or says what to look at; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.gitlab_project import images_of_jobs
from support.registry_proxy import proxy_to
from support.small_project import STAGES

if TYPE_CHECKING:
    from support.gitlab_project import GitLabProject
    from support.job_container import Attempt, Task
    from support.pipeline_runner import PipelineRun

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_registry_that_fails_or_refuses(small: GitLabProject) -> None:
    house, before = small.house, small.house.commit("main")
    with proxy_to(house.registry) as registry, images_of_jobs(f"{registry.address}/{house.images}"):
        house.registry = registry.address

        registry.status = 500
        down = small.pipeline()
        assert planning(down) == [75, 75, 75], down.story()
        assert down.job("swath:plan").log == (
            f"swath: the registry {registry.address} does not answer: it answers 500 Internal Server Error\n"
        )
        registry.status = 401
        refused = small.pipeline()
        assert planning(refused) == [1], refused.story()
        assert refused.job("swath:plan").log == (
            f"swath: the registry {registry.address} refuses access to {house.images}/draw for 'gitlab-ci-token' "
            "(CI_REGISTRY_USER and CI_REGISTRY_PASSWORD)\n"
            "  the password may have expired or lack the right: it needs read_registry, and write_registry to push\n"
        )
        assert down.names() == refused.names() == ["swath:lint"]
        assert (house.commit("main"), small.refs("refs/exps"), small.remote_folder.exists()) == (before, [], False)

        def mend(task: Task, attempt: Attempt) -> None:
            if task.name == "swath:plan" and attempt.number == 2:
                registry.status = 0

        registry.status, house.watch = 500, mend
        run = small.pipeline()
        assert (planning(run), run.status) == ([75, 0], "success"), run.story()
        assert small.ran(run) == sorted(STAGES)


def planning(run: PipelineRun) -> list[int]:
    """The exit codes of the attempts to plan."""
    return [attempt.exit_code for attempt in run.job("swath:plan").attempts]
