"""What several commands share: the repository around the user, and their options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from swath.dvc_border.repository import Repository, find_root

if TYPE_CHECKING:
    from pathlib import Path

targets_argument: Final = click.argument("targets", nargs=-1)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")


def open_repository() -> tuple[Repository, str]:
    """The repository around the working directory, and that directory from its root.

    The process moves to the root: DVC's resolver names files from there.

    Raises:
        UserError: there is none.
    """
    here = os.path.realpath(os.getcwd())
    root: Path = find_root(here)
    os.chdir(root)
    return Repository(root), os.path.relpath(here, root)
