"""`job/server_version.py`: what is compiled follows the server that the job runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.repositories import Bench, make_repository
from swath.dvc_border.repository import Repository
from swath.job.pipeline import CompileOptions, compile_pipeline
from swath.job.server_version import at_server
from swath.model.settings import ContinuousIntegration, Settings

SETTINGS = Settings(ci=ContinuousIntegration(gitlab_version="18.1", max_jobs=7))
OLD = ["runner_system_failure", "stuck_or_timeout_failure", "api_failure"]
NEW = [
    "runner_system_failure", "runner_external_dependency_failure", "runner_interrupted",
    "stuck_pending_with_matching_runners", "stuck_pending_no_matching_runners", "no_updates_running", "api_failure",
]  # fmt: skip


def server(major: str, minor: str) -> dict[str, str]:
    """What GitLab sets in each job."""
    return {"GITLAB_CI": "true", "CI_SERVER_VERSION_MAJOR": major, "CI_SERVER_VERSION_MINOR": minor}


@pytest.mark.parametrize(
    ("environ", "version"),
    [
        ({}, (18, 1)),
        (server("17", "4"), (17, 4)),
        (server("19", "10"), (19, 10)),
        (server("19", ""), (18, 1)),
        (server("x", "1"), (18, 1)),
        (server("²", "1"), (18, 1)),
    ],
)
def test_the_server_beats_the_file(environ: dict[str, str], version: tuple[int, int]) -> None:
    found = at_server(SETTINGS, environ)
    assert found.ci.version == version
    assert (found.ci.max_jobs, found.runners) == (7, SETTINGS.runners)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A search, so that a level follows."""
    stages: dict[str, Any] = {
        "find": {"cmd": "cp in.txt found.yaml", "deps": ["in.txt"], "outs": [{"found.yaml": {"cache": False}}]},
        "use": {"foreach": "${parts}", "do": {"cmd": "touch ${item}", "outs": ["${item}"]}},
    }
    files = {"in.txt": "parts: [a]\n", "swath.yaml": "ci: {gitlab_version: '19.5'}\n"}
    return make_repository(tmp_path / "repo", {**files, "dvc.yaml": {"vars": ["found.yaml"], "stages": stages}})


@pytest.mark.parametrize(
    ("environ", "strategy", "words"),
    [
        ({}, "mirror", NEW),
        (server("17", "0"), "depend", OLD),
        (server("18", "2"), "mirror", OLD),
        (server("19", "0"), "mirror", OLD),
        (server("19", "1"), "mirror", NEW),
    ],
)
def test_the_pipeline_is_one_that_the_server_knows(
    bench: Bench, environ: dict[str, str], strategy: str, words: list[str]
) -> None:
    """Checked against the schema too, which refuses words that it does not know."""
    document = yaml.safe_load(compile_pipeline(Repository(bench.root), CompileOptions(), environ, None).text)
    assert document["level-2"]["trigger"]["strategy"] == strategy
    assert document["find"]["retry"] == {"max": 2, "when": words, "exit_codes": [75]}
    assert document["collect"]["retry"] == document["find"]["retry"]


def test_a_job_works_out_the_plan_of_its_server(tmp_path: Path) -> None:
    """How many jobs fit depends on the version: 400 stages become fewer jobs before 17.3."""
    stage = {"cmd": "touch ${item}", "outs": ["${item}"]}
    numbers = [f"n{number}" for number in range(400)]
    files = {
        "dvc.yaml": {"stages": {"wide": {"foreach": numbers, "do": stage}}},
        "swath.yaml": "runners: [{tags: [docker], concurrency: 400}]\n",
    }
    bench = make_repository(tmp_path / "repo", files)
    bench.add_remote("far", str(tmp_path / "far"))
    bench.commit("remote")
    old, new = (
        compile_pipeline(Repository(bench.root), CompileOptions(), server(*version), None).plan
        for version in (("17", "2"), ("17", "3"))
    )
    assert len(old.jobs) < len(new.jobs)
    for plan, version in ((old, ("17", "2")), (new, ("17", "3"))):
        environ = {**server(*version), "CI_PIPELINE_ID": "7", "SWATH_DECISIONS": "400r", "CI": "true"}
        result = bench.swath("job", "run", plan.jobs[0].name, "--plan-digest", plan.digest, **environ)
        assert result.returncode == 0, result.stderr
