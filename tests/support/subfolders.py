"""DVC repositories in folders of one Git repository, and their pipelines: each script in a real shell, in a fresh clone.

    Monorepo(origin, developer's clone) ── Pipeline: GitLab's CI file ─▶ plan jobs ─▶ child documents ─▶ their jobs

No containers and no rules: what lies where, and what reaches Git, is the point here.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from support.repositories import BIN, ENVIRON, Bench, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

_SWATH: Final = "/opt/swath/bin/swath"
_GLOBAL: Final = frozenset({"workflow", "stages", "variables", "include"})


@dataclass
class Monorepo:
    """A Git server's repository, and a developer's clone of it.

    Attributes:
        clones: made so far, the last one last.
    """

    folder: Path
    subfolders: tuple[str, ...]
    clones: list[Path] = field(default_factory=list)

    @property
    def top(self) -> Bench:
        """The developer's clone."""
        return Bench(self.folder / "developer")

    @property
    def remote(self) -> Path:
        """The DVC remote of all its DVC repositories."""
        return self.folder / "remote"

    @property
    def url(self) -> str:
        """Of the Git server."""
        return f"file://{self.folder / 'server.git'}"

    def bench(self, subfolder: str) -> Bench:
        """A DVC repository in the developer's clone."""
        return Bench(self.top.root / subfolder)

    def push(self, message: str, branch: str = "main") -> str:
        """Commit everything and push it; the commit's id."""
        self.top.commit(message)
        self.top.command("git", "push", "-q", self.url, f"HEAD:refs/heads/{branch}")
        return self.top.command("git", "rev-parse", "HEAD").stdout.strip()

    def clone(self, commit: str = "main") -> Bench:
        """A fresh one."""
        target = self.folder / f"clone{len(self.clones) + 1}"
        subprocess.run(["git", "clone", "-q", self.url, str(target)], check=True)
        subprocess.run(["git", "-C", str(target), "checkout", "-q", "--detach", commit], check=True)
        self.clones.append(target)
        return Bench(target)

    def few_programs(self) -> str:
        """A PATH as in the image of a service, with the Git that the tool layer brings."""
        folder = self.folder / "bin"
        if not folder.exists():
            folder.mkdir()
            for name in ("sh", "cp", "mkdir", "git"):
                (folder / name).symlink_to(str(shutil.which(name)))
        return str(folder)

    def git(self, *words: str) -> str:
        """A git command on the server."""
        return self.top.command("git", "--git-dir", str(self.folder / "server.git"), *words).stdout.strip()


def make_monorepo(folder: Path, repositories: Mapping[str, Mapping[str, Any]]) -> Monorepo:
    """A pushed Git repository with a DVC repository in each of these folders, which share a remote.

    Args:
        repositories: the files of each, by folder.
    """
    mono = Monorepo(folder, tuple(repositories))
    for subfolder, files in repositories.items():
        bench = make_repository(mono.top.root / subfolder, files)
        shutil.rmtree(bench.root / ".git")
        bench.write({".dvc/config": f"[core]\n    remote = far\n['remote \"far\"']\n    url = {mono.remote}\n"})
    mono.top.write({"README.md": "# Two in one\n"})
    mono.top.command("git", "init", "-q", "-b", "main")
    mono.top.command("git", "init", "-q", "--bare", "-b", "main", str(folder / "server.git"))
    return mono


@dataclass
class Pipeline:
    """A pipeline of a commit.

    Attributes:
        environ: GitLab's variables.
        logs: of the jobs, by name; those of a child under the child's trigger job.
        checkouts: of the jobs, likewise.
    """

    mono: Monorepo
    commit: str
    environ: Mapping[str, str]
    logs: dict[str, str] = field(default_factory=dict)
    checkouts: dict[str, Bench] = field(default_factory=dict)

    def run(self) -> list[str]:
        """Run the jobs of GitLab's CI file, and their children; the names of all."""
        document = {}
        checkout = self.mono.clone(self.commit)
        main = yaml.safe_load(checkout.read(".gitlab-ci.yml"))
        for entry in main["include"]:
            document.update(yaml.safe_load(checkout.read(entry["local"])))
        self._run(document, "", {})
        return list(self.logs)

    def _run(self, document: Mapping[str, Any], parent: str, environ: Mapping[str, str]) -> None:
        variables = {**environ, **{k: v for k, v in document.get("variables", {}).items() if k.startswith("SWATH_")}}
        for name, job in document.items():
            if name in _GLOBAL or job.get("when") == "on_failure":
                continue
            if "trigger" in job:
                (include,) = job["trigger"]["include"]
                child = self.checkouts[parent + include["job"]].read(include["artifact"])
                self._run(yaml.safe_load(child), f"{parent}{name} > ", variables)
            else:
                self._job(parent + name, job, variables)

    def _job(self, name: str, job: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        """A script as GitLab starts it: at the top of the checkout; what it leaves beside artifacts is not looked at."""
        checkout = self.checkouts[name] = self.mono.clone(self.commit)
        script = "\n".join(job["script"]).replace(_SWATH, str(BIN / "swath"))
        environ = {**self.environ, **environ, **({"PATH": self.mono.few_programs()} if "job run" in script else {})}
        done = checkout.command("sh", "-ec", script, check=False, **environ)
        assert done.returncode == 0, f"{name}: {done.stdout}\n{done.stderr}"
        self.logs[name] = done.stdout + done.stderr
        if "job collect" not in script:
            for path in job.get("artifacts", {}).get("paths", []):
                assert (checkout.root / path).exists(), f"{name} left no {path}"


_IDS: Final = itertools.count(7000)


def pipeline(mono: Monorepo, commit: str, **environ: str) -> Pipeline:
    """A pipeline of a commit of the default branch, unless the variables say something else."""
    number = str(next(_IDS))
    known = {name: "" for name in ENVIRON if name.startswith(("CI_", "GITLAB", "SWATH_"))}
    given = {
        "CI": "true",
        "CI_PIPELINE_ID": number,
        "SWATH_PIPELINE": number,
        "SWATH_PIPELINE_SOURCE": "push",
        "SWATH_RUNTIME": "process",
        "SWATH_GIT_URL": mono.url,
        "SWATH_TOKEN": "token",
        "CI_COMMIT_SHA": commit,
        "CI_DEFAULT_BRANCH": "main",
        "CI_COMMIT_BRANCH": "main",
    }
    return Pipeline(mono, commit, {**known, **given, **environ})
