"""Projects in a house with a Git server, a registry and a DVC remote of their own."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.git_server import serve_git
from support.gitlab_project import GitLabProject, images_with_swath, make_project, own_path
from support.small_project import small_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.remote_server import RemoteServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests a second try in CI, told in the summary as a rerun.

    They cut lines and kill jobs at a certain moment; a machine that stands still for seconds may let it pass.
    """
    if "CI" in os.environ:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def shared_images(registry: str) -> Iterator[str]:
    """Where the images of small projects lie that build the same ones: whoever comes first builds them."""
    with images_with_swath(f"{registry}/shared/images") as images:
        yield images


@pytest.fixture
def small(tmp_path: Path, shared_images: str, remote_server: RemoteServer) -> Iterator[GitLabProject]:
    """The small project, pushed; no pipeline has run."""
    with _small(tmp_path, shared_images, remote_server) as project:
        yield project


@pytest.fixture
def one_by_one(small: GitLabProject) -> GitLabProject:
    """The same; one job draws all parts, and takes two seconds for each."""
    settings = small.bench.read("swath.yaml").replace("memory: 2GiB", "memory: 2GiB\n  concurrency: 1")
    parameters = small.bench.read("params.yaml").replace("pause: 0", "pause: 2")
    small.push("One by one", {"swath.yaml": settings, "params.yaml": parameters})
    return small


@pytest.fixture
def alone(tmp_path: Path, registry: str, remote_server: RemoteServer) -> Iterator[GitLabProject]:
    """The same, with no image but Swath's own."""
    with (
        images_with_swath(own_path(registry, tmp_path)) as images,
        _small(tmp_path, images, remote_server) as project,
    ):
        yield project


@contextlib.contextmanager
def _small(folder: Path, images: str, remote: RemoteServer) -> Iterator[GitLabProject]:
    """A project whose folder of the remote is new at each try."""
    bench = small_project(folder / "work", remote.url(folder.name))
    bench.swath("init", check=True)
    bench.commit("CI")
    with serve_git(folder / "git") as server:
        yield make_project(folder, bench, server, images, remote)
