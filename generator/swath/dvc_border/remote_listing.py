"""All files of a DVC remote, or of a cache, with their sizes and ages: what cleaning looks at."""

from __future__ import annotations

import os
import posixpath
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from swath.dvc_border.remote_files import RemoteFiles
from swath.dvc_border.translate import translated
from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.dvc_border.patience import Patience
    from swath.dvc_border.repository import Repository

# What the file systems call the time of the last change.
_TIMES: Final = ("mtime", "LastModified", "last_modified", "modified", "updated", "timeModified")
_LISTS_NOTHING: Final = ("http", "https")
_CACHE: Final = "swath-gc-cache"
_WITH_PREFIXES: Final = ("", "files/md5", "runs")  # folders with folders of two hexadecimal digits
_PREFIX: Final = re.compile(r"[0-9a-f]{2}")
_OURS: Final = "swath"


class StoredFile(NamedTuple):
    """A file of a remote or cache.

    Attributes:
        path: from its root, with forward slashes.
        size: bytes.
        changed: when it was written, in a cache when it was used last, in seconds since 1970; None: not known.
    """

    path: str
    size: int
    changed: float | None


def stored_files(files: RemoteFiles) -> list[StoredFile]:
    """The files of DVC's layout and ours, by path; others are not looked for.

    They are listed in many small pieces: one long silence would be taken for a remote that stalls.

    Raises:
        UserError: the remote cannot list its files, or refuses.
        PassingFaultError: it does not answer.
    """
    if files.protocol in _LISTS_NOTHING:
        message = f"the DVC remote {files.name!r} cannot be cleaned: a web server lists no files"
        raise UserError(message, hint="name the place behind it as a remote: dvc remote add")
    inner = files.names(_WITH_PREFIXES)
    folders = [
        posixpath.join(base, name)
        for base, names in zip(_WITH_PREFIXES, inner, strict=True)
        for name in names
        if _PREFIX.fullmatch(name)
    ]
    folders += [f"{_OURS}/{name}" for name in files.names([_OURS])[0]]
    found = files.each(folders, lambda fs, folder, _: list(_found(fs, files, folder)), "read")
    return sorted({each for part in found for each in part})


def cache_as_remote(repository: Repository, patience: Patience) -> RemoteFiles:
    """The repository's cache as a remote in a folder: both have the same layout."""
    repository.set_over({"remote": {_CACHE: {"url": repository.cache_dir}}})
    return RemoteFiles(repository, _CACHE, patience)


def forget_index(repository: Repository, name: str) -> None:
    """Drop DVC's record, on this machine, of what a remote has: it would take folders for complete that are gone."""
    from dvc_data.hashfile.db import get_index

    with translated():
        get_index(repository.full.cloud.get_remote_odb(name, hash_name="md5")).clear()


def _found(fs: Any, files: RemoteFiles, folder: str) -> Iterator[StoredFile]:
    root = files.full("").rstrip("/")
    if files.protocol == "local":
        yield from _walk(root, folder, by_use=files.name == _CACHE)
        return
    try:
        found = fs.fs.find(files.full(folder), detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return
    start = f"{root.strip('/')}/".lstrip("/")  # empty where paths start at the remote's root
    for path, info in found.items():
        name = str(path).strip("/")
        if name.startswith(start):
            yield StoredFile(name[len(start) :], int(info.get("size") or 0), _time(info))


def _walk(root: str, folder: str, *, by_use: bool) -> Iterator[StoredFile]:
    """Links are listed as what they are, and never followed."""
    top = os.path.join(root, folder)
    for place, _, names in () if os.path.islink(top) else os.walk(top):
        for name in names:
            path = os.path.join(place, name)
            try:
                info = os.lstat(path)
            except FileNotFoundError:  # somebody else has removed it
                continue
            changed = max(info.st_mtime, info.st_atime) if by_use else info.st_mtime
            yield StoredFile(os.path.relpath(path, root), info.st_size, changed)


def _time(info: dict[str, Any]) -> float | None:
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            continue
        if isinstance(found, datetime):
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None
