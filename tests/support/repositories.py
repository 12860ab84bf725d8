"""Real Git and DVC repositories for tests, and `swath` and `dvc` on them."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from configobj import ConfigObj

from swath.dvc_border.repository import Repository
from swath.load.targets import Selection
from swath.local.run import RunOptions, RunSummary, run_workflows

BIN = Path(sys.executable).parent
ENVIRON = {
    **os.environ,
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
    "SHELL": "/bin/sh",
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@example.invalid",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@example.invalid",
    "COLUMNS": "100",
}


class Watched:
    """Follows a run and keeps what it saw."""

    def __init__(self) -> None:
        self.started_names: list[str] = []

    def planned(self, decisions: Any, estimates_s: Any, jobs: int) -> None:
        """A round begins."""

    def started(self, name: str, attempt: int) -> None:
        """Keep the name."""
        self.started_names.append(name)

    def finished(self, report: Any) -> None:
        """A stage is done."""

    def tick(self) -> None:
        """Nothing to draw."""


class Bench:
    """A repository to try things on."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: Mapping[str, Any]) -> None:
        """Write files; what is no text becomes YAML."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            )

    def read(self, name: str) -> str:
        """A file's text."""
        return (self.root / name).read_text()

    def lock(self, name: str = "dvc.lock") -> dict[str, Any]:
        """The entries of a lock."""
        return dict(yaml.safe_load(self.read(name))["stages"])

    def add_remote(self, name: str, url: str, **settings: str) -> None:
        """As `dvc remote add --default`, which takes a second."""
        config = ConfigObj(str(self.root / ".dvc/config"))
        config.setdefault("core", {})["remote"] = name
        config[f'remote "{name}"'] = {"url": url, **settings}
        config.write()

    def commit(self, message: str = "change") -> None:
        """Commit everything."""
        self.command("git", "add", "-A")
        self.command("git", "commit", "-q", "--allow-empty", "-m", message)

    def command(self, *words: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program here."""
        result = subprocess.run(
            words, cwd=self.root, env={**ENVIRON, **environ}, capture_output=True, text=True, check=False, timeout=120
        )
        if check and result.returncode:
            raise AssertionError(f"{words} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}")
        return result

    def swath(self, *words: str, check: bool = False, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        return self.command(str(BIN / "swath"), *words, check=check, **environ)

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start the command line in the background."""
        return subprocess.Popen(
            [str(BIN / "swath"), *words],
            cwd=self.root,
            env={**ENVIRON, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *targets: str, **options: Any) -> RunSummary:
        """`swath run` in this process."""
        here = os.getcwd()
        os.chdir(self.root)
        os.environ["SHELL"] = "/bin/sh"
        try:
            repository = Repository(self.root)
            selection = Selection(targets, reach=options.pop("reach", "upstream"))
            chosen = RunOptions(selection, **{"jobs": 4, **options})
            return run_workflows(repository, chosen, Watched(), ENVIRON, threading.Event())
        finally:
            os.chdir(here)

    def did(self, *targets: str, **options: Any) -> dict[str, str]:
        """What `swath run` did with each stage that was a task."""
        return {name: report.did for name, report in self.run(*targets, **options).reports.items()}

    def dvc_status(self) -> str:
        """What `dvc status` says."""
        return self.command("dvc", "status").stdout.strip()


@cache
def _empty_repository() -> Path:
    """Git's and DVC's own empty repository; made once, since `dvc init` takes a second."""
    folder = tempfile.mkdtemp(prefix="swath-empty-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bench = Bench(Path(folder))
    bench.command("git", "init", "-q", "-b", "main")
    bench.command("dvc", "init", "-q")
    shutil.rmtree(bench.root / ".dvc" / "tmp", ignore_errors=True)
    return bench.root


CLEAN = "Data and pipelines are up to date."


def make_repository(root: Path, files: Mapping[str, Any]) -> Bench:
    """A committed repository with these files."""
    shutil.copytree(_empty_repository(), root, dirs_exist_ok=True)
    bench = Bench(root)
    bench.write(files)
    bench.commit("first")
    return bench
