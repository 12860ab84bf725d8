"""Projects in a house with a Git server, a registry and a DVC remote of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.git_server import serve_git
from support.gitlab_project import GitLabProject, make_project
from support.small_project import small_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.remote_server import RemoteServer


@pytest.fixture
def small(
    tmp_path: Path, registry: str, remote_server: RemoteServer, request: pytest.FixtureRequest
) -> Iterator[GitLabProject]:
    """The small project, pushed, with Swath's image in its registry; no pipeline has run."""
    name = request.node.name.replace("_", "-")
    bench = small_project(tmp_path / "work", remote_server.url(name))
    bench.swath("init", check=True)
    bench.commit("CI")
    with serve_git(tmp_path / "git") as server:
        project = make_project(tmp_path, bench, server, registry, remote_server, name)
        yield project
        project.remove_images()
