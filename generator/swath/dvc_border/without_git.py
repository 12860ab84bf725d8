"""What we ask of Git where there is no `git` program, as in a job's container: through Dulwich, which DVC brings."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.dvc_border.repository import Repository


def tracked_names(repository: Repository, paths: Iterable[str]) -> set[str]:
    """The files that Git tracks at or below some paths; all from the repository's root."""
    git, prefix = _open(repository)
    wanted = set(paths)
    names = (os.fsdecode(name) for name in git.open_index())
    own = (name[len(prefix) :] for name in names if name.startswith(prefix))
    return {name for name in own if name in wanted or any(str(up) in wanted for up in PurePosixPath(name).parents)}


def ignored_names(repository: Repository, data: bytes) -> set[str]:
    """Those of some paths that Git ignores.

    Args:
        data: the paths from the repository's root, with zeros between.
    """
    from dulwich.ignore import IgnoreFilterManager

    git, prefix = _open(repository)
    rules = IgnoreFilterManager.from_repo(git)
    names = [os.fsdecode(name) for name in data.split(b"\0") if name]
    return {name for name in names if rules.is_ignored(prefix + name)}


def head_commit(repository: Repository) -> str:
    """The full id of HEAD's commit.

    Raises:
        UserError: there is none.
    """
    try:
        return str(_open(repository)[0].head().decode())
    except KeyError as error:
        raise UserError("there is no revision 'HEAD'", hint="make a first commit") from error


def _open(repository: Repository) -> tuple[Any, str]:
    """Git's repository, and where DVC's lies in it: empty, or with a slash at its end."""
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        git = Repo.discover(str(repository.root))
    except NotGitRepository as error:
        raise UserError("not inside a Git repository", hint="clone it with Git") from error
    return git, f"{repository.subfolder}/" if repository.subfolder else ""
