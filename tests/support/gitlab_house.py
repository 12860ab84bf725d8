"""A house that has GitLab, runners and a registry, without GitLab: what a project's pipelines are run by in tests.

House.push -> House.pipeline -> PipelineRun      (`pipeline_runner.py` schedules, `job_container.py` runs a job)
"""

from __future__ import annotations

import itertools
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from support.gitlab_variables import Commit, MergeRequest, predefined
from support.pipeline_runner import Pipeline, PipelineRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.git_server import GitServer
    from support.job_container import Attempt, Task


@dataclass
class HouseRunner:
    """A registered runner.

    Attributes:
        tags: that it has; it takes the jobs that ask for no others.
        volumes: `host:container`, for all its jobs.
        user: of its containers; empty: the image's.
        options: further ones of `docker run`.
    """

    tags: tuple[str, ...]
    volumes: tuple[str, ...] = ()
    user: str = ""
    concurrency: int = 2
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.slots = threading.Semaphore(self.concurrency)


@dataclass
class House:
    """What runs a project's pipelines.

    Attributes:
        folder: for checkouts, logs and artifacts.
        registry: host and port of the image registry.
        images: the path of the project's images there; another project's share them.
        variables: the project's.
        files: the project's file variables: name and text.
        watch: is called with each attempt that starts, in a thread of its own.
        refuses: whether GitLab refuses the file of a child pipeline.
    """

    folder: Path
    git: GitServer
    project: str
    registry: str
    images: str
    runners: tuple[HouseRunner, ...]
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    watch: Callable[[Task, Attempt], None] | None = None
    refuses: Callable[[dict[str, Any]], bool] | None = None
    pipeline_ids: Iterator[int] = field(default_factory=lambda: itertools.count(4711))
    job_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._groups: dict[str, threading.Lock] = {}
        self._groups_lock = threading.Lock()

    @property
    def bare(self) -> Path:
        """The project's bare repository."""
        return self.git.folder / f"{self.project}.git"

    @property
    def address(self) -> str:
        """Of the project's repository, for Git."""
        return f"{self.git.url}/{self.project}.git"

    def resource_group(self, name: str) -> threading.Lock:
        """The lock of a resource group of the project."""
        with self._groups_lock:
            return self._groups.setdefault(name, threading.Lock())

    def runner_for(self, tags: list[str]) -> HouseRunner:
        """The first runner that has all the tags."""
        return next(runner for runner in self.runners if set(tags) <= set(runner.tags))

    def pipeline(
        self,
        ref: str = "main",
        *,
        source: str = "push",
        merge_request: MergeRequest | None = None,
        variables: dict[str, str] | None = None,
        document: dict[str, Any] | None = None,
    ) -> PipelineRun:
        """Run the pipeline of a branch's newest commit to its end, children included.

        Args:
            ref: the branch.
            source: `CI_PIPELINE_SOURCE`.
            variables: of this pipeline alone.
            document: instead of the commit's `.gitlab-ci.yml`.
        """
        commit = self.commit(ref)
        if merge_request:
            source = "merge_request_event"
            self.git_command("update-ref", f"refs/merge-requests/{merge_request.iid}/head", commit.sha)
        text = None if document else self.git_command("show", f"{commit.sha}:.gitlab-ci.yml")
        pipeline_id = str(next(self.pipeline_ids))
        known = {
            **predefined(commit, ref, merge_request, self.project),
            **self._own_variables(),
            **self._pipeline_variables(pipeline_id, source, commit),
        }
        chosen = variables or {}
        pipeline = Pipeline(self, pipeline_id, document or yaml.safe_load(str(text)), known, chosen, commit.sha, ref)
        return pipeline.run()

    def commit(self, ref: str) -> Commit:
        """The newest commit of a branch."""
        shown = self.git_command("show", "-s", "--format=%H%x00%an <%ae>%x00%cI%x00%B", f"refs/heads/{ref}")
        sha, author, when, message = shown.split("\0")
        return Commit(sha, message.rstrip("\n") + "\n", author, when)

    def git_command(self, *words: str) -> str:
        """What Git says in the bare repository."""
        return subprocess.run(["git", "-C", str(self.bare), *words], capture_output=True, text=True, check=True).stdout

    def _own_variables(self) -> dict[str, str]:
        return {
            "CI_SERVER_URL": self.git.url,
            "CI_SERVER_HOST": "127.0.0.1",
            "CI_SERVER_PORT": str(self.git.port),
            "CI_PROJECT_URL": f"{self.git.url}/{self.project}",
            "CI_API_V4_URL": f"{self.git.url}/api/v4",
            "CI_REGISTRY": self.registry,
            "CI_REGISTRY_IMAGE": f"{self.registry}/{self.images}",
            "CI_REGISTRY_USER": "gitlab-ci-token",
            "CI_REGISTRY_PASSWORD": "registry-password",
        }

    def _pipeline_variables(self, pipeline_id: str, source: str, commit: Commit) -> dict[str, str]:
        return {
            "CI_PIPELINE_ID": pipeline_id,
            "CI_PIPELINE_IID": pipeline_id,
            "CI_PIPELINE_SOURCE": source,
            "CI_PIPELINE_URL": f"{self.git.url}/{self.project}/-/pipelines/{pipeline_id}",
            "CI_PIPELINE_CREATED_AT": commit.when,
        }
