"""A clean copy of a commit, with a cache of its own, to run a stage in without a trace in the user's repository."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.files.copying import copy_file
from swath.files.git_program import call_git

if TYPE_CHECKING:
    from swath.dvc_border.cache import Cache
    from swath.model.content import Content


def clean_copy(repository: Repository, commit: str, folder: Path) -> Repository:
    """Check a commit out into a folder; its objects are shared with the user's clone, the cache is empty.

    Args:
        commit: its full id.
        folder: does not exist yet.

    Raises:
        UserError: Git cannot do it.
    """
    top = repository.checkout
    objects = top / _git(top, "rev-parse", "--git-path", "objects")
    shallow = top / _git(top, "rev-parse", "--git-path", "shallow")
    folder.mkdir(parents=True)
    _git(folder, "init", "--quiet")
    (folder / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n", encoding="utf-8")
    if shallow.exists():
        shutil.copyfile(shallow, folder / ".git" / "shallow")
    _git(folder, "-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--detach", commit)
    return _with_own_cache(repository, Repository(folder / repository.subfolder))


def _with_own_cache(repository: Repository, copy: Repository) -> Repository:
    """Set up as the user's, links included; but nothing it learns reaches the user's cache or records."""
    from dvc_data.hashfile.state import State

    copy.config = repository.config
    copy.cache_dir = str(copy.dvc_dir / "cache")
    copy.state = State(str(copy.root), str(copy.tmp_dir / "state"), None)
    return copy


def seed(source: Cache, target: Cache, content: Content) -> bool:
    """Bring the objects of a content from one cache into another; False when the source lacks some."""
    if not source.has(content):
        return False
    values = [content.value]
    if content.is_folder:
        values += [file.value for file in source.files(content) or ()]
    for value in values:
        one = type(content)(value, legacy=content.legacy)
        there = target.path(one)
        if not os.path.exists(there):
            target.make_folder(os.path.dirname(there))
            _link_or_copy(source.path(one), there)
    return True


def _link_or_copy(source: str, target: str) -> None:
    with contextlib.suppress(FileExistsError):  # two folders may hold one file
        try:
            os.link(source, target)
        except OSError as error:
            if isinstance(error, FileExistsError):
                raise
            copy_file(source, target)
            shutil.copystat(source, target)


def _git(folder: Path, *arguments: str) -> str:
    result = call_git(folder, *arguments)
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip()
        raise UserError(f"git {arguments[0]} failed: {said}", hint="see whether the repository is whole: git fsck")
    return os.fsdecode(result.stdout).strip()
