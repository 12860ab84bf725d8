"""Find the repository that a folder belongs to, without importing DVC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that has a ``.dvc`` folder, else the nearest with a ``.git``; absolute.

    A DVC repository in a subfolder of a Git repository counts as one of its own. DVC's temporary copies for experiments
    have both.

    Raises:
        UserError: neither is found.
    """
    folder = start.resolve()
    above = (folder, *folder.parents)
    for marker in (".dvc", ".git"):
        for candidate in above:
            path = candidate / marker
            if path.is_dir() or (marker == ".git" and path.is_file()):
                return candidate
    raise UserError(f"{folder} is in no repository: no folder above has .dvc or .git", hint="`git init` and `dvc init`")
