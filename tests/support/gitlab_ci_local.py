"""gitlab-ci-local, another's reading of GitLab's YAML: it checks it against GitLab's schema and runs it in containers.

It knows no retries, timeouts or tags, and a child that fails fails nothing. So its exit code says little: what counts is
the list of jobs that passed, and `pipeline_runner.py` is there for the rest.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from support.docker_engine import SETUP
from support.network import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_RESULT: Final = re.compile(r"^ *(PASS|FAIL) +(?:\[[^]]*\] -> )?(.+?) *$", re.MULTILINE)
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class LocalRun:
    """What gitlab-ci-local did.

    Attributes:
        results: PASS or FAIL of each job, children's included, by name.
        output: all that it printed.
    """

    results: Mapping[str, str]
    output: str
    exit_code: int


def gitlab_ci_local(
    checkout: Path,
    variables: Mapping[str, str],
    files: Mapping[str, str],
    volumes: tuple[str, ...] = (),
    child: Path | None = None,
) -> LocalRun:
    """Run the pipeline of a checkout in containers that share the host's network.

    Args:
        checkout: a clone with a commit and an origin.
        variables: the project's, and those of GitLab's that it does not know by itself.
        files: file variables: name and text.
        volumes: `host:container`, of all jobs.
        child: the file of a child pipeline to run instead; gitlab-ci-local itself starts none, and says nothing, when
            the job that wrote it has a colon in its name.
    """
    home = checkout.parent / f"{checkout.name}-home"
    home.mkdir(exist_ok=True)
    for name, text in files.items():  # mounted: its own file variables do not reach all jobs of a `--file`
        (home / name).write_text(text)
    said = {**variables, **{name: f"/file-variables/{name}" for name in files}}
    folder = os.environ.get("SWATH_TEST_CACHE") or SETUP.parents[2] / ".make" / "docker"
    argv = [
        "gitlab-ci-local", "--no-color", "--helper-image", "swath-test/gcl-util:1", "--pull-policy", "if-not-present",
        "--no-artifacts-to-source", "--concurrency", "2", "--network", "host", "--home", str(home),
        *(f"--volume={volume}" for volume in (*volumes, f"{home}:/file-variables:ro")),
        *(f"--variable={name}={value}" for name, value in said.items()),  # over those of jobs, as the project's are
    ]  # fmt: skip
    if child:
        argv += ["--file", str(child.relative_to(checkout)), "--state-dir", ".gitlab-ci-local-child"]
    environ = {**os.environ, "PATH": f"{folder}/node/bin:{os.environ['PATH']}", "HOME": str(home), "NO_PROXY": LOOPBACK}
    done = subprocess.run(argv, cwd=checkout, env=environ, capture_output=True, text=True, check=False, timeout=900)
    output = _ESCAPE.sub("", done.stdout + done.stderr)
    return LocalRun({name: result for result, name in _RESULT.findall(output)}, output, done.returncode)
