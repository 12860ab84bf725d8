"""A project on a bare Git server, checkouts of it as CI makes them, and results as jobs leave them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.repositories import Bench, make_repository
from swath.dvc_border.repository import Repository
from swath.model.fragment import FileRecord, Fragment, StageRecord
from swath.record.git import Signature, open_clone
from swath.record.merge import Results, merge_fragments
from swath.record.push import Server
from swath.record.recording import Recording
from swath.schema.lock_text import read_lock

WHEN = "2026-11-22T20:00:00Z"
# A chain with a metric that Git keeps, a folder, a parameter and a workflow of its own in a folder.
FILES: dict[str, Any] = {
    "in.txt": "one\n",
    "params.yaml": {"lr": 0.1, "other": 1},
    "dvc.yaml": {
        "stages": {
            "prepare": {"cmd": "mkdir -p mid && cp in.txt mid/a", "deps": ["in.txt"], "outs": ["mid"]},
            "train": {
                "cmd": "(cat mid/a; grep lr params.yaml) > model; echo '{\"loss\": 1}' > metrics.json",
                "deps": ["mid"],
                "params": ["lr"],
                "outs": ["model"],
                "metrics": [{"metrics.json": {"cache": False}}],
            },
            "apart": {"cmd": "echo x > data/x", "deps": ["params.yaml"], "outs": ["data/x"]},
        }
    },
    "data/readme": "keeps the folder\n",
    "use/dvc.yaml": {"stages": {"use": {"cmd": "cp ../model used", "deps": ["../model"], "outs": ["used"]}}},
}


@dataclass
class Project:
    """A Git server with one project, and the developer's clone."""

    folder: Path
    developer: Bench
    sub: str = ""
    number: int = field(default=0)

    @property
    def url(self) -> str:
        """The server's address."""
        return str(self.folder / "server.git")

    def commit(self, rev: str = "HEAD") -> str:
        """A commit's full id, in the developer's clone."""
        return self.developer.command("git", "rev-parse", rev).stdout.strip()

    def checkout(self, rev: str = "HEAD", *, depth: int = 0) -> Bench:
        """A new clone as CI makes it: detached, with what the server has."""
        self.number += 1
        bench = Bench(self.folder / f"checkout{self.number}")
        bench.root.mkdir()
        bench.command("git", "init", "-q")
        bench.command("git", "remote", "add", "origin", f"file://{self.url}")
        shallow = [f"--depth={depth}"] if depth else []
        bench.command("git", "fetch", "-q", *shallow, "origin", self.commit(rev))
        bench.command("git", "checkout", "-q", "--detach", "FETCH_HEAD")
        return Bench(bench.root / self.sub)

    def clone(self) -> Bench:
        """A new clone as a person makes it."""
        self.number += 1
        self.developer.command("git", "clone", "-q", self.url, str(self.folder / f"clone{self.number}"))
        return Bench(self.folder / f"clone{self.number}")

    def push(self, message: str = "change", files: Mapping[str, Any] | None = None) -> str:
        """The developer commits and pushes; the commit's id."""
        if files:
            self.developer.write(files)
        self.developer.commit(message)
        self.developer.command("git", "push", "-q", "origin", "HEAD")
        return self.commit()

    def served(self, rev: str = "main") -> str:
        """The commit that a ref of the server names."""
        return self.developer.command("git", "--git-dir", self.url, "rev-parse", rev).stdout.strip()

    def show(self, what: str) -> str:
        """Text of the server: ``main:dvc.lock``."""
        return self.developer.command("git", "--git-dir", self.url, "show", what).stdout

    def git(self, *words: str) -> str:
        """A git command in the server's repository."""
        return self.developer.command("git", "--git-dir", self.url, *words).stdout.strip()


def make_project(folder: Path, files: Mapping[str, Any] = FILES) -> Project:
    """A project with these files on its default branch, `main`; no stage has run."""
    developer = make_repository(folder / "developer", files)
    developer.command("git", "init", "-q", "--bare", "-b", "main", str(folder / "server.git"))
    developer.command("git", "--git-dir", str(folder / "server.git"), "config", "uploadpack.allowAnySHA1InWant", "true")
    developer.command("git", "remote", "add", "origin", str(folder / "server.git"))
    developer.command("git", "push", "-q", "-u", "origin", "main")
    return Project(folder, developer)


def fragments_of(bench: Bench, commit: str, *, stages: tuple[str, ...] = (), plan: str = "p" * 16) -> list[Fragment]:
    """What jobs would leave of a `swath run` in this clone: a fragment for each stage.

    Args:
        stages: only of these; none: of all.
    """
    ignores = bench.command("git", "ls-files", "-z", "-o", "-m", "--", "*.gitignore").stdout.split("\0")[:-1]
    found = []
    for lock in sorted(bench.root.glob("**/dvc.lock")):
        file = lock.relative_to(bench.root).with_suffix(".yaml").as_posix()
        for key, entry in read_lock(lock.read_text(), str(lock)).items():
            name = key if file == "dvc.yaml" else f"{file}:{key}"
            if stages and name not in stages:
                continue
            outs = entry.get("outs") or []
            texts = ["metrics.json"] if any(out["path"] == "metrics.json" for out in outs) else []  # type: ignore[index, union-attr]
            files = {path: file_record((bench.root / path).read_text()) for path in [*texts, *ignores]}
            found.append(Fragment(commit, plan, f"job {name}", 1, {name: StageRecord(entry, 2.5, 1.25, 1000)}, files))
    return sorted(found, key=lambda fragment: fragment.job)


def file_record(text: str) -> FileRecord:
    """A file as a fragment says it."""
    return FileRecord(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), text)


def results_of(project: Project, rev: str = "HEAD", *, stages: tuple[str, ...] = ()) -> Results:
    """Run everything in a clone of its own, and take what came out."""
    bench = project.checkout(rev)
    bench.run()
    commit = project.commit(rev)
    return merge_fragments(commit, fragments_of(bench, commit, stages=stages))


def recording_of(project: Project, bench: Bench, results: Results, pipeline: str = "4711") -> Recording:
    """A recording from a checkout."""
    repository = Repository(bench.root)
    return Recording(
        repository=repository,
        clone=open_clone(repository.root),
        server=Server(project.url),
        results=results,
        pipeline=pipeline,
        signature=Signature("Swath", "swath@localhost", WHEN),
        message=f"Record pipeline {pipeline}\n\nof a test\n\nSwath-Pipeline: {pipeline}\n",
        read_object=lambda md5: Path("/nowhere") / md5,
    )
