"""Pipelines without GitLab: what `swath compile` plans for a commit, and its jobs, each in a fresh clone."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from support.repositories import BIN, ENVIRON, Bench, make_repository
from swath.dvc_border.repository import Repository
from swath.job.pipeline import CompileOptions, compile_pipeline
from swath.job.run import JobOptions, run_job
from swath.job.store import store_of
from swath.schema.fragment_text import read_fragment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.fragment import Fragment
    from swath.model.jobs import PipelinePlan

_IDS = itertools.count(100)
IN_CI = {"CI": "true", "SWATH_RUNTIME": "process"}


@dataclass
class Pipeline:
    """A compiled pipeline.

    Attributes:
        environ: what its jobs have.
    """

    house: JobBench
    plan: PipelinePlan
    environ: dict[str, str]
    clones: list[Bench] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Its jobs with stages."""
        return [job.name for job in self.plan.jobs if job.stages]

    def clone(self) -> Bench:
        """A fresh checkout: another machine."""
        return self.house.clone(self.environ["CI_COMMIT_SHA"])

    def run(self, name: str, bench: Bench | None = None, stop: threading.Event | None = None, **environ: str) -> str:
        """Run a job in this process; its log."""
        bench = bench or self.clone()
        log, here = io.BytesIO(), os.getcwd()
        os.chdir(bench.root)
        try:
            options = JobOptions(name, self.plan.digest, {**self.environ, **environ})
            run_job(Repository(bench.root), options, stop or threading.Event(), log)
        finally:
            os.chdir(here)
            self.clones.append(bench)
            self.log = log.getvalue().decode(errors="replace")
        return self.log

    def run_all(self) -> dict[str, str]:
        """Run all jobs in order; their logs."""
        return {name: self.run(name) for name in self.names}

    def start(self, name: str, bench: Bench, **environ: str) -> subprocess.Popen[str]:
        """Start a job as a process of its own."""
        return subprocess.Popen(
            [str(BIN / "swath"), "job", "run", name, "--plan-digest", self.plan.digest],
            cwd=bench.root,
            env={**ENVIRON, **self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def fragment(self, name: str) -> Fragment:
        """What a job left in the remote."""
        from swath.model.fragment import fragment_path

        path = self.house.far / fragment_path(self.environ["SWATH_PIPELINE"], self.plan.level, name)
        return read_fragment(path.read_text(), str(path))

    def locks(self) -> dict[str, Any]:
        """All entries that its fragments have, by stage."""
        return {name: r.lock for job in self.names for name, r in self.fragment(job).stages.items()}


class JobBench:
    """A repository, its remote in a folder, and its pipelines.

    Args:
        far: the folder; as this machine sees it.
        url: of the remote; empty: the folder itself.
        environ: of all its pipelines.
    """

    def __init__(
        self, root: Path, files: Mapping[str, Any], far: Path | None = None, url: str = "", **environ: str
    ) -> None:
        self.root, self.far, self.environ = root, far or root / "far", environ
        self.far.mkdir(parents=True, exist_ok=True)
        self.bench = make_repository(root / "repo", files)
        self.bench.add_remote("far", url or str(self.far))
        self.bench.commit("remote")
        self._clones = itertools.count(1)

    def clone(self, commit: str) -> Bench:
        """A checkout as a runner makes it: shallow, detached."""
        folder = self.root / f"builds-{next(self._clones)}"
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        git = ("git", "-C", str(folder))
        subprocess.run([*git, "fetch", "-q", "--depth=1", f"file://{self.bench.root}", commit], check=True)
        subprocess.run([*git, "checkout", "-q", "--detach", commit], check=True)
        return Bench(folder)

    def pipeline(self, number: int | None = None, level: int = 1, **environ: str) -> Pipeline:
        """Compile HEAD."""
        commit = self.bench.command("git", "rev-parse", "HEAD").stdout.strip()
        identifier = str(number or next(_IDS))
        variables = {
            **{name: value for name, value in ENVIRON.items() if not name.startswith(("CI", "GITLAB"))},
            **IN_CI,
            "SHELL": "/bin/sh",
            "SWATH_PIPELINE": identifier,
            "CI_COMMIT_SHA": commit,
            **self.environ,
            **environ,
        }
        here = os.getcwd()
        os.chdir(self.bench.root)
        try:
            repository = Repository(self.bench.root)
            store, _ = store_of(repository, variables)
            compiled = compile_pipeline(repository, CompileOptions(level=level, ask_registry=False), variables, store)
        finally:
            os.chdir(here)
        said = yaml.safe_load(compiled.text).get("variables", {})
        return Pipeline(
            self,
            compiled.plan,
            {**variables, **{k: str(v) for k, v in said.items() if k.startswith("SWATH_") and "$" not in str(v)}},
        )

    def objects(self) -> set[str]:
        """Hashes of the remote's objects."""
        return {p.parent.name + p.name for p in (self.far / "files/md5").glob("??/*")}
