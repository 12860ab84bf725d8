"""A project in a house with everything real but GitLab: Git server, image registry, DVC remote over SSH, runners.

GitLabProject: push -> pipeline -> what lies in Git, the registry and the remote
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from support.gitlab_house import House, HouseRunner
from support.repositories import Bench
from support.tool_layer import push_tool_layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from support.git_server import GitServer
    from support.gitlab_variables import MergeRequest
    from support.pipeline_runner import PipelineRun
    from support.remote_server import RemoteServer

_CONTENT_TAG: Final = re.compile(r"[0-9a-f]{12}-t\d+")
SOCKET: Final = "/var/run/docker.sock"
TOKEN: Final = "glpat-the-token-of-the-project"


@dataclass
class GitLabProject:
    """A project whose pipelines run here.

    Attributes:
        bench: a developer's clone.
        remote: the DVC remote's server.
        remote_name: its folder there.
    """

    house: House
    bench: Bench
    remote: RemoteServer
    remote_name: str

    def push(self, message: str, files: Mapping[str, Any], branch: str = "main") -> None:
        """Commit files and push them."""
        self.bench.write(files)
        self.bench.commit(message)
        self.bench.command("git", "push", "-q", "origin", f"HEAD:refs/heads/{branch}")

    def pull(self) -> None:
        """Take what pipelines have recorded on main."""
        self.bench.command("git", "pull", "-q", "--ff-only", "origin", "main")

    def pipeline(self, ref: str = "main", merge_request: MergeRequest | None = None, **options: Any) -> PipelineRun:
        """Run the pipeline of a branch."""
        return self.house.pipeline(ref, merge_request=merge_request, **options)

    def clone(self, folder: Path, ref: str = "main") -> Bench:
        """A fresh clone of a colleague who has the remote's credentials."""
        subprocess.run(["git", "clone", "-q", "--branch", ref, self.house.address, str(folder)], check=True)
        (folder / ".dvc/config.local").write_text(self.remote.dvc_config())
        return Bench(folder)

    def show(self, path: str, ref: str = "main") -> str:
        """A file's text in the repository on the server."""
        git = ["git", "-C", str(self.house.bare), "show", f"{ref}:{path}"]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout

    def refs(self, pattern: str) -> list[str]:
        """The server's refs that match."""
        git = ["git", "-C", str(self.house.bare), "for-each-ref", "--format=%(refname)", pattern]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.split()

    @property
    def remote_folder(self) -> Path:
        """Where the remote's files lie on this machine."""
        return self.remote.folder / self.remote_name

    def lock_of_experiment(self) -> dict[str, Any]:
        """The entries of dvc.lock in the only experiment on the server."""
        (ref,) = self.refs("refs/exps")
        return dict(yaml.safe_load(self.show("dvc.lock", ref))["stages"])

    def objects(self) -> int:
        """How many objects are in the remote's cache."""
        return sum(path.is_file() for path in (self.remote_folder / "files").rglob("*"))

    def message(self, ref: str = "main") -> str:
        """The message of a branch's newest commit."""
        return self.house.commit(ref).message

    def fragments(self, pipeline: str) -> dict[str, dict[str, Any]]:
        """What the jobs of a pipeline have left in the remote, by path below its folder."""
        folder = self.remote_folder / "swath" / pipeline
        return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))}

    def ran(self, run: PipelineRun) -> list[str]:
        """The stages that a pipeline really executed, sorted; not those that it restored or found unchanged."""
        records = [fragment["stages"] for fragment in self.fragments(run.id).values()]
        return sorted(name for stages in records for name, record in stages.items() if record["wall_s"] > 0)

    def images(self) -> dict[str, list[str]]:
        """The content tags in the registry, by image, without Swath's own."""
        names = _json(f"http://{self.house.registry}/v2/_catalog?n=1000")["repositories"]
        found = {}
        for name in sorted(names):
            project, _, image = name.rpartition("/")
            if project == self.house.images and image != "swath":
                tags = _json(f"http://{self.house.registry}/v2/{name}/tags/list")["tags"] or []
                found[image] = sorted(tag for tag in tags if _CONTENT_TAG.fullmatch(tag))
        return found


def make_project(folder: Path, bench: Bench, server: GitServer, images: str, remote: RemoteServer) -> GitLabProject:
    """Put a repository into a house that has one runner, of the class `docker`, with the engine's socket.

    Its jobs may push with their own token; `TOKEN` is a project access token, which no variable holds.

    Args:
        folder: of the test; the project and its folder of the remote have its name.
        images: host, port and path of the registry; Swath's own image is there.
    """
    project = f"group/{folder.name}"
    bare = server.add_project(project)
    server.tokens.add(TOKEN)
    server.jobs_may_push.add(project)
    bench.command("git", "remote", "add", "origin", str(bare))
    bench.command("git", "push", "-q", "origin", "main")
    runner = HouseRunner(("docker",), (f"{SOCKET}:{SOCKET}",))
    variables = {"SWATH_BUILDER_IMAGE": "swath-test/docker-cli:1"}
    files = {"SWATH_DVC_CONFIG": remote.dvc_config()}
    registry, _, path = images.partition("/")
    house = House(folder / "house", server, project, registry, path, (runner,), variables, files)
    (bench.root / ".dvc/config.local").write_text(remote.dvc_config())
    return GitLabProject(house, bench, remote, folder.name)


def own_path(registry: str, folder: Path) -> str:
    """A path of a registry for the images of one test, which nobody has used."""
    return f"{registry}/group/{folder.name.replace('_', '-')}"


@contextlib.contextmanager
def images_with_swath(images: str) -> Iterator[str]:
    """A path of a registry that has Swath's own image."""
    push_tool_layer(images)
    with images_of_jobs(images):
        yield images


@contextlib.contextmanager
def images_of_jobs(images: str) -> Iterator[None]:
    """What jobs took from a path of a registry leaves this machine's engine at the end."""
    try:
        yield
    finally:
        listed = ["docker", "images", "--format={{.Repository}}:{{.Tag}}", f"--filter=reference={images}/*"]
        names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        if names:
            subprocess.run(["docker", "rmi", "--force", *names], capture_output=True, check=False)


def _json(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return dict(json.load(answer))
