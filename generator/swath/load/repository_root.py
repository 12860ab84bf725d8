"""Find the repository that a folder belongs to, without importing DVC."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator


def working_folder() -> Path:
    """The working directory, absolute and without links.

    Raises:
        UserError: it is no longer there.
    """
    try:
        return Path.cwd().resolve()
    except FileNotFoundError as error:
        raise UserError("the working directory is no longer there", hint="go to one that is: cd FOLDER") from error


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that has a ``.dvc`` folder, else the nearest with a ``.git``; absolute.

    A DVC repository in a subfolder of a Git repository counts as one of its own. DVC's temporary copies for experiments
    have both.

    Raises:
        UserError: neither is found, or a folder on the way may not be searched.
    """
    folder = start.resolve()
    for root in chain(_with(folder, ".dvc"), _with(folder, ".git")):
        return root
    raise UserError(f"{folder} is in no repository: no folder above has .dvc or .git", hint="`git init` and `dvc init`")


def find_dvc_root(start: Path) -> Path:
    """The nearest folder at or above `start` that has a ``.dvc`` folder; absolute.

    Raises:
        UserError: there is none, or a folder on the way may not be searched.
    """
    for root in _with(start.resolve(), ".dvc"):
        return root
    raise UserError("not inside a DVC repository", hint="go to one, or make one with: git init && dvc init")


def _with(folder: Path, marker: str) -> Iterator[Path]:
    """Folders at or above `folder` that have a folder `marker`, the nearest first; ``.git`` is a file in worktrees."""
    for candidate in (folder, *folder.parents):
        try:
            path = candidate / marker
            if path.is_dir() or (marker == ".git" and path.is_file()):
                yield candidate
        except PermissionError as error:
            message = f"{candidate} may not be searched for a repository: {error.strerror}"
            hint = f"ask its owner for access (chmod +rx), or go to another folder; this user's id is {os.getuid()}"
            raise UserError(message, hint=hint) from error
