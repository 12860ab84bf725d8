"""The listing of a folder, an object of DVC's cache and remotes: a JSON list of its files, each with hash and path.

    [{"md5": "...", "relpath": "sub/file"}, ...]

Whoever may write into a remote chooses what is in it, and its hash proves only that nobody changed it on the way. So
every reader takes it from here, where a name that could leave the folder, or stand for two files, is refused. DVC
itself follows such names.

Source: dvc-data 3.18 `hashfile/tree.py: Tree.from_list`, read 2026-11-28.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_HASH: Final = re.compile(r"[0-9a-f]{32}")
_NOT_NAMES: Final = frozenset({"", ".", ".."})
_PRIVATE: Final = frozenset({".dvc", ".git", ".hg"})


class FileHash(NamedTuple):
    """One file of a folder: its path inside it, with forward slashes, and its MD5."""

    relpath: str
    value: str


class DamagedListingError(ValueError):
    """A listing that must not be used; its text says why, with names made visible."""


def listing_bytes(files: Iterable[FileHash]) -> bytes:
    """The JSON of a folder, as DVC 3 writes it."""
    listing = [{"md5": file.value, "relpath": file.relpath} for file in sorted(files)]
    return json.dumps(listing, sort_keys=True).encode()


def read_listing(data: bytes) -> tuple[FileHash, ...]:
    """The files of a folder.

    Returns:
        In the listing's order; each path is relative, without empty parts, ``.`` and ``..``, and names one file.

    Raises:
        DamagedListingError: it is not a listing, or a path in it could mean something outside the folder.
    """
    try:
        listing = json.loads(data)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one too
        raise DamagedListingError("it is not JSON") from error
    return checked_files(listing)


def checked_files(listing: object, *, cloud: bool = False) -> tuple[FileHash, ...]:
    """As `read_listing`, of a listing that somebody has parsed.

    Args:
        cloud: it lists the files of a cloud that keeps versions, which may have other hashes than MD5, or none.
    """
    if not isinstance(listing, list):
        raise DamagedListingError("it is not a list of files")
    files = tuple(_file(item, cloud=cloud) for item in listing)
    _refuse_collisions(files)
    return files


def is_path_inside(path: str) -> bool:
    """Whether it is a relative path, with forward slashes, that stays inside its folder and can be a file's.

    JSON can say half characters that no file system has; one that stands for a byte that is not UTF-8 is fine.
    """
    return "\0" not in path and not _NOT_NAMES.intersection(path.split("/")) and _encodes(path, "surrogateescape")


def is_private(path: str) -> bool:
    """Whether it lies in what is Git's, DVC's or Mercurial's own, at any level: hooks, settings that name programs.

    Source: DVC 3.67.1 `ignore.py: DvcIgnoreFilter.__init__`, whose default patterns hold at any level, read 2026-11-28.
    """
    return not _PRIVATE.isdisjoint(path.split("/"))


def _file(item: object, *, cloud: bool) -> FileHash:
    path = item.get("relpath") if isinstance(item, dict) else None
    value = item.get("md5", "" if cloud else None) if isinstance(item, dict) else None
    if not isinstance(path, str) or not isinstance(value, str):
        raise DamagedListingError("an entry of it is not a file with `md5` and `relpath`")
    if not is_path_inside(path) or not _encodes(path, "strict"):  # DVC's record takes UTF-8 alone
        raise DamagedListingError(f"it names the file {path!r}, which is no path inside the folder")
    if not _HASH.fullmatch(value) and not (cloud and not value):
        raise DamagedListingError(f"the hash {value!r} of the file {path!r} is no MD5")
    return FileHash(path, value)


def _encodes(path: str, errors: str) -> bool:
    try:
        path.encode("utf-8", errors)
    except UnicodeEncodeError:
        return False
    return True


def _refuse_collisions(files: tuple[FileHash, ...]) -> None:
    paths = {file.relpath for file in files}
    if len(paths) < len(files):
        twice = Counter(file.relpath for file in files).most_common(1)[0][0]
        raise DamagedListingError(f"it names the file {twice!r} twice")
    folders: set[str] = set()
    for path in paths:
        end = path.rfind("/")
        while end > 0 and path[:end] not in folders:
            folders.add(path[:end])
            end = path.rfind("/", 0, end)
    both = min(folders & paths, default=None)
    if both is not None:
        raise DamagedListingError(f"it names {both!r} both as a file and as a folder")
