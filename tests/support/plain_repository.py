"""A DVC repository with given files, made in milliseconds: Git is real, DVC's folder is written by hand."""

from __future__ import annotations

import contextlib
import subprocess
import warnings
from typing import TYPE_CHECKING

from dvc.repo import Repo

from swath.dvc_border.data_files import DataOutput, read_data_file
from swath.dvc_border.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SPLIT = """\
name: split
kind: processing
description: Cut an image.
entrypoint: [sh, split.sh]
parameters:
  - {name: input, type: file, direction: input, required: true, description: image}
  - {name: mask, type: "list[file]", direction: input}
  - {name: size, type: integer, default: 256, minimum: 16}
  - {name: mode, type: string, choices: [fast, good], default: fast}
  - {name: out, type: directory, direction: output, required: true}
"""
IGNORE = "services/*/tests\nservices/*/README*\n__pycache__\n.gitignore\n"


def make_repository(root: Path, files: Mapping[str, str | bytes], *, track: bool = True) -> Repository:
    """Write `files` (by path from the root) into a new repository.

    Args:
        track: add them to Git's index.
    """
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", root], check=True)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("")
    (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if track:
        subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    return Repository(root)


def read_data_files(repository: Repository) -> tuple[DataOutput, ...]:
    """All that `.dvc` files track, by file."""
    return tuple(out for file in repository.data_files for out in read_data_file(repository, file))


def commit(root: Path) -> None:
    """Commit whatever lies there."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "--message=x"], cwd=root, check=True)


def reproduce(root: Path) -> None:
    """`dvc repro`, in this process."""
    with contextlib.chdir(root), Repo(str(root)) as repo, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DVC's own
        repo.reproduce()


def with_split(dvc_yaml: str, more: Mapping[str, str | bytes] | None = None) -> dict[str, str | bytes]:
    """The files of a repository with the service `split`, a clean `.dvcignore` and one dvc.yaml."""
    service: dict[str, str | bytes] = {"services/split/service.yaml": SPLIT, "services/split/split.sh": "true\n"}
    return {**service, ".dvcignore": IGNORE, "dvc.yaml": dvc_yaml, **(more or {})}
