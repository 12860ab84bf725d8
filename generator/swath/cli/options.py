"""What several commands share: the repository around the user, and their options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from swath.dvc_border.repository import Repository
from swath.load.repository_root import find_dvc_root, working_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

targets_argument: Final = click.argument("targets", nargs=-1)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")


def refuse_together(given: Mapping[str, bool], why: str) -> None:
    """Refuse options that exclude each other: none is dropped in silence.

    Args:
        given: options as the user writes them, and whether each was given.
        why: the rest of a sentence.

    Raises:
        UsageError: more than one was given.
    """
    named = [option for option, is_given in given.items() if is_given]
    if len(named) > 1:
        raise click.UsageError(f"{' and '.join(named)} cannot be combined: {why}")


def open_repository() -> tuple[Repository, str]:
    """The repository around the working directory, and that directory from its root.

    The process moves to the root: DVC's resolver names files from there.

    Raises:
        UserError: there is none.
    """
    here = working_folder()
    root = find_dvc_root(here)
    os.chdir(root)
    return Repository(root), os.path.relpath(here, root)
