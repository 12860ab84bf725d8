"""What several commands share: the repository around the user, and their options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from swath.dvc_border.repository import Repository
from swath.load.repository_root import find_dvc_root, working_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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

    The process moves to the root: DVC's own messages name files from there.

    Raises:
        UserError: there is none.
    """
    here = working_folder()
    root = find_dvc_root(here)
    os.chdir(root)
    return repository_at(root), os.path.relpath(here, root)


def repository_at(root: Path) -> Repository:
    """The repository at a root.

    A user id without a name, as jobs have it, gets a home: DVC's libraries look for settings there.
    """
    repository = Repository(root)
    os.environ.setdefault("HOME", str(repository.tmp_dir))
    return repository
