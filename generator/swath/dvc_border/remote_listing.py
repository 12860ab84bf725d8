"""All files of a DVC remote, or of a cache, with their sizes and ages: what cleaning looks at."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from swath.dvc_border.remote_files import RemoteFiles
from swath.dvc_border.translate import translated
from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.dvc_border.patience import Patience, Pulse
    from swath.dvc_border.repository import Repository

# What the file systems call the time of the last change.
_TIMES: Final = ("mtime", "LastModified", "last_modified", "modified", "updated", "timeModified")
_LISTS_NOTHING: Final = ("http", "https")
_CACHE: Final = "swath-gc-cache"


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
    """All files, by path.

    Raises:
        UserError: the remote cannot list its files, or refuses.
        PassingFaultError: it does not answer.
    """
    if files.protocol in _LISTS_NOTHING:
        message = f"the DVC remote {files.name!r} cannot be cleaned: a web server lists no files"
        raise UserError(message, hint="name the place behind it as a remote: dvc remote add")
    return sorted(files.each([""], lambda fs, _, pulse: list(_found(fs, files, pulse)), "read")[0])


def cache_as_remote(repository: Repository, patience: Patience) -> RemoteFiles:
    """The repository's cache as a remote in a folder: both have the same layout."""
    repository.set_over({"remote": {_CACHE: {"url": repository.cache_dir}}})
    return RemoteFiles(repository, _CACHE, patience)


def forget_index(repository: Repository, name: str) -> None:
    """Drop DVC's record, on this machine, of what a remote has: it would take folders for complete that are gone."""
    from dvc_data.hashfile.db import get_index

    with translated():
        get_index(repository.full.cloud.get_remote_odb(name, hash_name="md5")).clear()


def _found(fs: Any, files: RemoteFiles, pulse: Pulse) -> Iterator[StoredFile]:
    root = files.full("").rstrip("/")
    if files.protocol == "local":
        yield from _walk(root, pulse, by_use=files.name == _CACHE)
        return
    try:
        found = fs.fs.find(root, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return
    start = root.strip("/")
    for path, info in found.items():
        name = str(path).strip("/")
        if name.startswith(f"{start}/"):
            yield StoredFile(name[len(start) + 1 :], int(info.get("size") or 0), _time(info))


def _walk(root: str, pulse: Pulse, *, by_use: bool) -> Iterator[StoredFile]:
    """Links are listed as what they are, and never followed."""
    for folder, _, names in os.walk(root):
        pulse.beat()
        for name in names:
            path = os.path.join(folder, name)
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
