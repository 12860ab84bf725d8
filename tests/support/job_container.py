"""One attempt of a GitLab job in a container, as GitLab Runner's docker executor runs it.

    a fresh checkout at /builds/PROJECT, artifacts of needed jobs  ->  sh in the job's image  ->  log, exit code, artifacts

The checkout is root's and writable for all, the shell is the best that the image has, the script stops at its first
failing line and has nothing to read. All containers share the host's network.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# From gitlab-runner's shells/bash.go, shortened.
_DETECT: Final = (
    "for shell in /usr/local/bin/bash /usr/bin/bash /bin/bash /usr/local/bin/sh /usr/bin/sh /bin/sh; do "
    '[ -x "$shell" ] && exec "$shell" 2>&1; done; echo shell not found; exit 1'
)
_SCRIPT: Final = """\
if set -o | grep pipefail >/dev/null; then set -o pipefail; fi
set -o errexit
set +o noclobber
: | eval {body}
exit 0
"""
_KILLED: Final = 137


@dataclass(frozen=True)
class Task:
    """What to run.

    Attributes:
        entrypoint: None: the image's own.
        variables: all of the job's, with their values in place.
        files: file variables: name and text.
        lines: of the script.
        git: address to fetch from.
        depth: of the fetch; 0: all.
        refs: further refs that are fetched: `+refs/heads/main:refs/remotes/origin/main`.
        volumes: `host:container`.
        user: that the runner starts containers as; empty: the image's.
        options: further ones of `docker run`.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...] | None
    variables: Mapping[str, str]
    files: Mapping[str, str]
    lines: tuple[str, ...]
    after: tuple[str, ...]
    git: str
    commit: str
    depth: int
    refs: tuple[str, ...]
    timeout_s: float
    volumes: tuple[str, ...] = ()
    user: str = ""
    options: tuple[str, ...] = ()


@dataclass
class Attempt:
    """What came of it.

    Attributes:
        reason: GitLab's failure reason; None: it succeeded.
        checkout: the project's folder as the job left it.
    """

    number: int
    folder: Path
    exit_code: int = 0
    reason: str | None = None
    started: float = 0.0
    seconds: float = 0.0
    container: str = field(default_factory=lambda: f"swath-job-{secrets.token_hex(6)}")

    @property
    def checkout(self) -> Path:
        """Where the project lies on this machine."""
        return self.folder / "builds" / (self.folder / "project").read_text()

    @property
    def log(self) -> str:
        """What the job printed."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill(self, reason: str = "script_failure") -> None:
        """End it now, as the machine's out-of-memory killer does, or with another of GitLab's failure reasons."""
        self.reason = reason
        subprocess.run(["docker", "kill", self.container], capture_output=True, check=False)


def run_attempt(
    task: Task, attempt: Attempt, inputs: Sequence[Path], watch: Callable[[Task, Attempt], None] | None
) -> None:
    """Run a task once; what came of it is in `attempt`."""
    attempt.started = time.monotonic()
    project = task.variables["CI_PROJECT_PATH"]
    (attempt.folder / "builds").mkdir(parents=True)
    (attempt.folder / "project").write_text(project)
    if task.variables.get("GIT_STRATEGY") == "none":
        attempt.checkout.mkdir(parents=True)
    else:
        _check_out(task, attempt.checkout)
    for folder in inputs:
        _run("cp", "-a", f"{folder}/.", str(attempt.checkout))
    settings = attempt.folder / "builds" / f"{project}.tmp"
    settings.mkdir()
    for name, text in task.files.items():
        (settings / name).write_text(text)
        (settings / name).chmod(0o666)
    if watch:
        threading.Thread(target=watch, args=(task, attempt), daemon=True).start()
    attempt.exit_code = _container(task, attempt)
    attempt.seconds = time.monotonic() - attempt.started
    if attempt.exit_code and attempt.reason is None:
        attempt.reason = "script_failure"
    elif not attempt.exit_code:
        attempt.reason = None  # it was faster than who would kill it


def collect_artifacts(attempt: Attempt, paths: Sequence[str], target: Path) -> None:
    """Copy what `artifacts: paths` say; folders with all that is in them."""
    target.mkdir(parents=True, exist_ok=True)
    for pattern in paths:
        for found in sorted(attempt.checkout.glob(pattern.rstrip("/"))):
            copy = target / found.relative_to(attempt.checkout)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if found.is_dir():
                shutil.copytree(found, copy, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy2(found, copy)


def _check_out(task: Task, folder: Path) -> None:
    """As the runner's helper does it: root's files, writable for all, a detached head, the job's token in the address."""
    token = task.variables["CI_JOB_TOKEN"]
    refs = [f"+{task.commit}:refs/pipelines/{task.variables['CI_PIPELINE_ID']}", *task.refs]
    depth = [f"--depth={task.depth}"] if task.depth else []
    _run("git", "-c", "init.defaultBranch=none", "init", "-q", str(folder), umask=0)
    git = ("git", "-C", str(folder))
    _run(*git, "remote", "add", "origin", task.git.replace("://", f"://gitlab-ci-token:{token}@"))
    _run(*git, "fetch", "-q", "--no-tags", "--no-recurse-submodules", *depth, "origin", *refs, umask=0)
    _run(*git, "checkout", "-q", "-f", "--detach", task.commit, umask=0)


def _container(task: Task, attempt: Attempt) -> int:
    variables = {**task.variables, **{name: f"{task.variables['CI_PROJECT_DIR']}.tmp/{name}" for name in task.files}}
    argv = ["docker", "run", "--rm", "--interactive", "--init", "--network=host", f"--name={attempt.container}"]
    argv += [f"--volume={attempt.folder / 'builds'}:/builds", *(f"--volume={volume}" for volume in task.volumes)]
    argv += [f"--env={name}={value}" for name, value in variables.items()]
    argv += [f"--user={task.user}"] if task.user else []
    argv += task.options
    first, *further = task.entrypoint or ("",)
    argv += [f"--entrypoint={first}"] if task.entrypoint is not None else []
    argv += [task.image, *further, "sh", "-c", _DETECT]
    with (attempt.folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
        try:
            process.communicate(_script(task, task.lines).encode(), timeout=task.timeout_s)
        except subprocess.TimeoutExpired:
            attempt.kill("job_execution_timeout")
            process.wait()
            return process.returncode or _KILLED
        if task.after and process.returncode != _KILLED:
            subprocess.run(argv, input=_script(task, task.after).encode(), stdout=log, stderr=log, check=False)
    return process.returncode


def _script(task: Task, lines: Sequence[str]) -> str:
    body = "\n".join([f"cd {shlex.quote(task.variables['CI_PROJECT_DIR'])}", *lines, ""])
    return _SCRIPT.format(body=shlex.quote(body))


def _run(*argv: str, umask: int = -1) -> None:
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        umask=umask,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )
    assert done.returncode == 0, f"{argv}: {done.stderr}"
