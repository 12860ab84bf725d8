"""`swath gc`: which places are cleaned, and what is read for each."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.clean.collect import Collector, Removed
from swath.clean.owner import Owner, check_owner
from swath.clean.references import References
from swath.clean.revisions import (
    add_sources,
    check_whole,
    committed,
    in_work_tree,
    is_git_here,
    linked_values,
    repository_ids,
    server_names,
    server_refs,
    work_trees,
)
from swath.dvc_border.cleaning import announced
from swath.dvc_border.lock import repository_lock
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_files import RemoteFiles
from swath.dvc_border.remote_listing import cache_as_remote, forget_index
from swath.errors import UserError
from swath.local.run import run_lock
from swath.model.units import Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swath.dvc_border.repository import Repository

LEAST_AGE_S: Final = 24 * 3600  # in a remote or a shared cache: less could be of a pipeline that runs
_AT_ONCE: Final = Patience(pauses_s=())


@dataclass(frozen=True, slots=True)
class GcOptions:
    """What a user says.

    Attributes:
        age_s: what has changed within so many seconds stays.
        dry_run: only say what would go.
        claims: the place is this repository's alone.
        pause: waits so many seconds.
    """

    age_s: float
    dry_run: bool = False
    claims: bool = False
    pause: Callable[[float], object] = time.sleep


def clean_remote(repository: Repository, name: str | None, options: GcOptions) -> Removed:
    """Remove from a remote what nobody names.

    Args:
        name: of the remote; None: the default one.

    Raises:
        UserError: it is not known what is named, or whose the remote is.
        PassingFaultError: the remote or the Git server does not answer.
    """
    _see_age(options, "a remote")
    files = RemoteFiles(repository, name)
    place = f"the DVC remote {files.name!r}"
    top = _top(repository)
    _see_owner(files, place, top, options)
    with server_refs(top, os.environ) as fetch:
        since = time.time() - options.age_s
        read = _Named(repository, top, since)

        def named() -> References:
            fetch()
            return read()

        collector = Collector(place, files, named, _in_cache(repository), since)
        if options.dry_run:
            return collector.look()
        removed = collector.clean(options.pause, lambda: announced(files))
    if removed.files:
        forget_index(repository, files.name)
    return removed


def clean_cache(repository: Repository, folder: str | None, options: GcOptions) -> Removed:
    """Remove from a cache what nobody names.

    Args:
        folder: another cache than the repository's: the one that a runner's jobs share; from the working directory.

    Raises:
        UserError: it is not known what is named, or whose the cache is.
        PassingFaultError: `swath run` or DVC is at work here.
    """
    if folder is not None:
        if not os.path.isdir(folder):
            raise UserError(f"there is no cache {folder}", hint="see `runners` in swath.yaml")
        repository.set_over({"cache": {"dir": os.path.abspath(folder)}})  # DVC takes a relative one from `.dvc`
    place, top = f"the cache {repository.cache_dir}", _top(repository)
    files = cache_as_remote(repository, _AT_ONCE)
    if not Path(os.path.realpath(repository.cache_dir)).is_relative_to(os.path.realpath(repository.checkout)):
        _see_age(options, "a cache that others may share")
        _see_owner(files, place, top, options)
    since = time.time() - options.age_s
    collector = Collector(place, files, _Named(repository, top, since), lambda _: None, since)
    if options.dry_run:
        return collector.look()
    with run_lock(repository), repository_lock(repository):
        return collector.clean(lambda _: None)


def _top(repository: Repository) -> Path:
    """The top of the Git repository.

    Raises:
        UserError: there is none, or it is shallow.
    """
    if not is_git_here(repository.root):
        message = "this is no Git repository with a commit: it is not known what may go"
        raise UserError(message, hint="swath gc works by what branches, tags and experiments name")
    check_whole(repository.checkout)
    return repository.checkout


def _see_age(options: GcOptions, where: str) -> None:
    """Others may be at work where no lock of this checkout holds them off."""
    if options.age_s < LEAST_AGE_S:
        age = Duration(options.age_s)
        message = f"--older-than {age}: in {where}, what is younger than a day may be of a pipeline that runs"
        raise UserError(message, hint=f"say {Duration(LEAST_AGE_S)} or more")


def _see_owner(files: RemoteFiles, place: str, top: Path, options: GcOptions) -> None:
    if not options.dry_run:
        owner = Owner(repository_ids(top), server_names(top, os.environ))
        check_owner(files, place, owner, claims=options.claims)


class _Named:
    """Reads what Git, the work trees, and finished stages that are in no lock yet name.

    What was named at the first look counts at the second, so that each text is read once.
    """

    def __init__(self, repository: Repository, top: Path, since: float) -> None:
        self._repository, self._top, self._since = repository, top, since
        self._references, self._seen = References(), set[bytes]()

    def __call__(self) -> References:
        found, top = self._references, self._top
        add_sources(found, committed(top, self._since), self._seen)
        for tree in work_trees(top):
            add_sources(found, in_work_tree(tree, top), self._seen)
            found.values.update(linked_values(tree, self._repository.cache_dir))
            for text in _journals(tree):
                found.add_text(text)
        return found


def _journals(top: Path) -> Iterator[str]:
    """Of all DVC repositories in the checkout."""
    for folder, folders, _ in os.walk(top):
        if ".dvc" in folders:
            with contextlib.suppress(OSError):
                yield (Path(folder) / ".dvc/tmp/swath/journal.jsonl").read_text(errors="replace")
        folders[:] = [name for name in folders if name not in {".git", ".dvc"}]


def _in_cache(repository: Repository) -> Callable[[str], bytes | None]:
    """Reads a listing from this machine's cache."""

    def listing(value: str) -> bytes | None:
        for base in (Path(repository.cache_dir, "files/md5"), Path(repository.cache_dir)):
            with contextlib.suppress(OSError):
                return (base / value[:2] / value[2:]).read_bytes()
        return None

    return listing
