"""`swath compile --ask-gitlab`: GitLab's own word, and that the token stands nowhere."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support.fake_gitlab import TOKEN, FakeGitlab, fake_gitlab
from support.repositories import Bench, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "in.txt": "one",
    "dvc.yaml": {"stages": {"copy": {"cmd": "cp in.txt out", "deps": ["in.txt"], "outs": ["out"]}}},
}
NO_REMOTE = "swath: there is no DVC remote: nothing can be restored\n"
SUMMARY = "swath: 1 of 1 stage in 1 job\n"
WANTED = ("CI_API_V4_URL", "CI_SERVER_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "SWATH_TOKEN")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A stage that never ran."""
    return make_repository(tmp_path / "repo", FILES)


@pytest.fixture
def server() -> Iterator[FakeGitlab]:
    """A GitLab that works."""
    with fake_gitlab() as gitlab:
        yield gitlab


def compiled(bench: Bench, server: FakeGitlab, **environ: str) -> subprocess.CompletedProcess[str]:
    result = bench.swath("compile", "--ask-gitlab", "-o", "child.yml", **{**server.environ(), **environ})
    written = bench.read("child.yml") if (bench.root / "child.yml").exists() else ""
    assert TOKEN not in result.stdout + result.stderr + written
    return result


def test_it_is_asked_about_what_is_written(bench: Bench, server: FakeGitlab) -> None:
    server.warnings = ["jobs:copy may allow multiple pipelines"]
    result = compiled(bench, server)
    assert (result.returncode, result.stdout) == (0, "")
    said = "swath: GitLab warns: jobs:copy may allow multiple pipelines\n"
    assert result.stderr == f"{NO_REMOTE}{said}{SUMMARY}"
    assert server.contents == [bench.read("child.yml")]


def test_nothing_is_written_when_it_refuses(bench: Bench, server: FakeGitlab) -> None:
    bench.write({"child.yml": "before"})
    server.errors = ["jobs:copy config contains unknown keys: x", "another"]
    result = compiled(bench, server)
    assert (result.returncode, result.stdout, bench.read("child.yml")) == (1, "", "before")
    assert result.stderr == (
        f"swath: {server.url} refuses the pipeline\njobs:copy config contains unknown keys: x\nanother\n"
        "  nothing was written\n"
    )


def test_a_token_that_is_not_known(bench: Bench, server: FakeGitlab) -> None:
    server.token = "another"
    result = compiled(bench, server)
    assert (result.returncode, (bench.root / "child.yml").exists()) == (1, False)
    assert result.stderr == (
        f"swath: {server.url} does not know the token of SWATH_TOKEN: it is expired or revoked\n"
        "  make a new project access token with the scope api and the role Developer or higher, and set it as "
        "SWATH_TOKEN (Settings > CI/CD > Variables, masked)\n"
    )


def test_it_fails(bench: Bench, server: FakeGitlab) -> None:
    server.faults = [500] * 9
    result = compiled(bench, server)
    assert (result.returncode, (bench.root / "child.yml").exists()) == (75, False)
    assert result.stderr == (f"swath: {server.url} does not answer: 500 Internal Server Error; try again later\n")


def test_without_an_address(bench: Bench, server: FakeGitlab) -> None:
    result = compiled(bench, server, **dict.fromkeys(WANTED, ""))
    assert result.returncode == 1
    assert result.stderr == (
        "swath: GitLab cannot be asked without CI_SERVER_URL (such as https://gitlab.example.org), CI_PROJECT_PATH "
        "(such as group/project), SWATH_TOKEN (a project access token with the scope api)\n"
        "  GitLab's jobs have all but the token; elsewhere set them yourself\n"
    )


def test_a_fork_is_not_asked_about(bench: Bench, server: FakeGitlab) -> None:
    fork = {
        "CI_MERGE_REQUEST_IID": "1",
        "CI_MERGE_REQUEST_PROJECT_ID": "4711",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "9",
    }
    result = compiled(bench, server, **fork)
    assert (result.returncode, server.asked) == (0, [])
    assert "swath: GitLab is not asked about a merge request from a fork\n" in result.stderr


def test_python_gitlab_is_loaded_only_to_ask(bench: Bench) -> None:
    code = (
        "import sys; from swath.cli.main import main\n"
        "try: main(['compile', '-o', 'child.yml'])\n"
        "except SystemExit: pass\n"
        "print('swath.job.pipeline' in sys.modules, 'gitlab' in sys.modules)"
    )
    assert bench.command("python", "-c", code).stdout == "True False\n"
