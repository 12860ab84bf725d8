"""Repositories with small services, made in a test's own folder."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from swath.execute.command import Workplace, invocation_from_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from swath.model.invocation import Invocation, Volume

# Runs under `sh`, so that no environment is made: fast, and there is always one.
UPPER = """\
name: upper
kind: processing
description: Write a text in capitals.
entrypoint: [sh, upper.sh]
process: {}
parameters:
  - {name: input, type: file, direction: input, required: true, description: "the text"}
  - {name: size, type: integer, default: 256, minimum: 16}
  - {name: tag, type: "list[string]"}
  - {name: out, type: file, direction: output, required: true}
"""
UPPER_SH = """\
for word; do printf '%s\\n' "$word"; done
while [ $# -gt 0 ]; do
  case $1 in --input) input=$2;; --out) out=$2;; esac
  shift
done
tr a-z A-Z <"$input" >"$out"
"""


def make_repository(root: Path) -> Path:
    """A folder that Swath takes for a repository, with the service `upper` and the file data/a; returns it."""
    (root / ".dvc").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "data/a").write_text("hello\n")
    add_service(root, "upper", UPPER, {"upper.sh": UPPER_SH})
    return root


def add_service(root: Path, name: str, text: str, files: Mapping[str, str]) -> Path:
    """Write a service's folder; returns it."""
    folder = root / "services" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "service.yaml").write_text(text)
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(content)
    return folder


def shell_service(root: Path, name: str, script: str, extra: str = "") -> Path:
    """A service that is a shell script and has one optional output, `out`."""
    text = (
        f"name: {name}\nkind: processing\ndescription: d\nentrypoint: [sh, run.sh]\nprocess: {{}}\n"
        f"parameters: [{{name: out, type: file, direction: output}}]\n{extra}"
    )
    return add_service(root, name, text, {"run.sh": script})


def workplace(root: Path, wdir: str = ".", volumes: Mapping[str, Volume] | None = None) -> Workplace:
    """A workplace in a repository, with a scratch folder."""
    scratch = root / ".dvc/tmp/scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return Workplace(root=root, wdir=wdir, scratch=scratch, volumes=volumes or {})


def invocation(root: Path, *words: str, wdir: str = ".") -> Invocation:
    """The invocation of some words."""
    return invocation_from_words(words, workplace(root, wdir))


def never() -> threading.Event:
    """A stop that nobody sets."""
    return threading.Event()


def swath(cwd: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line `swath` in a folder."""
    environment = os.environ | variables
    argv = [sys.executable, "-m", "swath.cli.entry", *words]
    return subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
