"""The Git server of the end-to-end tests takes pushes with a token only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.git_server import serve_git
from support.repositories import make_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("user", "pushes", "refused"), [("oauth2:good@", True, []), ("oauth2:bad@", False, ["bad"]), ("", False, [])]
)
def test_a_push_needs_a_token(tmp_path: Path, user: str, refused: list[str], *, pushes: bool) -> None:
    bench = make_repository(tmp_path / "r", {"big": "x" * 2_000_000})
    with serve_git(tmp_path) as server:
        bare = server.add_project("group/project")
        server.tokens.add("good")
        address = f"{server.url}/group/project.git"
        pushed = bench.command(
            "git", "push", "-q", address.replace("//", f"//{user}"), "main", check=False, GIT_TERMINAL_PROMPT="0"
        )
        assert (pushed.returncode == 0) == pushes
        assert server.refused == refused
        cloned = bench.command("git", "clone", "-q", "--depth=1", address, str(tmp_path / "clone"), check=False)
        assert cloned.returncode == 0
    assert (tmp_path / "clone/big").exists() == pushes
    assert bare.is_dir()


@pytest.mark.parametrize(
    ("user", "allowed", "pushes"),
    [("gitlab-ci-token", True, True), ("gitlab-ci-token", False, False), ("oauth2", True, False)],
)
def test_a_job_token_pushes_where_the_project_lets_it(
    tmp_path: Path, user: str, *, allowed: bool, pushes: bool
) -> None:
    bench = make_repository(tmp_path / "r", {"a": "1"})
    with serve_git(tmp_path) as server:
        server.add_project("group/project")
        server.add_project("group/other")
        server.job_tokens["of-the-job"] = "group/project"
        server.jobs_may_push |= {"group/project", "group/other"} if allowed else set()
        address = f"{server.url}/group/project.git".replace("//", f"//{user}:of-the-job@")
        pushed = bench.command("git", "push", "-q", address, "main", check=False, GIT_TERMINAL_PROMPT="0")
        assert (pushed.returncode == 0) == pushes
        if user == "gitlab-ci-token":
            assert ("remote: You are not allowed to upload code." in pushed.stderr) == (not pushes)
        other = bench.command("git", "push", "-q", address.replace("project", "other"), "main", check=False)
        assert other.returncode
