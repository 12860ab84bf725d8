"""gitlab-ci-local, which is not ours, takes what we write and runs it: plan, child pipeline, jobs in containers."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from support.gitlab_ci_local import gitlab_ci_local
from support.gitlab_project import SOCKET, TOKEN, GitLabProject
from support.small_project import STAGES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_first_pipeline_passes_in_gitlab_ci_local(small: GitLabProject, tmp_path: Path) -> None:
    house = small.house
    house.variables["SWATH_TOKEN"] = TOKEN  # the server knows no job of gitlab-ci-local
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", house.address, str(checkout)], check=True)
    known = {
        "CI_SERVER_URL": house.git.url,
        "CI_PROJECT_PATH": house.project,
        "CI_REGISTRY": house.registry,
        "CI_REGISTRY_IMAGE": f"{house.registry}/{house.images}",
        "CI_COMMIT_BRANCH": "main",
        "CI_DEFAULT_BRANCH": "main",
        "CI_PIPELINE_ID": "815",
    }
    volumes = (f"{SOCKET}:{SOCKET}",)
    parent = gitlab_ci_local(checkout, {**known, **house.variables}, house.files, volumes)
    assert parent.results == dict.fromkeys(["swath:lint", "swath:plan", "swath:run"], "PASS"), parent.output
    (child,) = checkout.glob(".gitlab-ci-local/artifacts/*/swath-child.yml")
    handed_down = {"CI_PIPELINE_SOURCE": "parent_pipeline", "SWATH_PIPELINE": "815", "SWATH_PIPELINE_SOURCE": "push"}
    run = gitlab_ci_local(checkout, {**known, **handed_down, **house.variables}, house.files, volumes, child)
    assert run.exit_code == 0, run.output
    jobs = {name for name, keywords in yaml.safe_load(child.read_text()).items() if "script" in keywords}
    assert {*STAGES, "collect"} <= jobs
    assert run.results == dict.fromkeys(jobs, "PASS"), run.output
    records = [fragment["stages"] for fragment in small.fragments("815").values()]
    assert sorted(name for stages in records for name in stages) == sorted(STAGES)
    assert small.message().rstrip().endswith("Swath-Pipeline: 815")
