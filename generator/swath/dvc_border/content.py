"""Hash files and folders of the workspace as DVC does, and remember the hashes where DVC looks for them.

A folder's hash is the MD5 of a JSON list of its files. Hashes of files that have not changed since (inode, time, size)
come from DVC's state database; new ones are kept here and written with `flush`, many at a time.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from swath.errors import UserError
from swath.model.content import Content
from swath.schema.folder_listing import FileHash, listing_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.dvc_border.repository import Repository

_BLOCK: Final = 2**20


class Tree(NamedTuple):
    """A folder's content and its files, by path."""

    content: Content
    files: tuple[FileHash, ...]

    def as_bytes(self) -> bytes:
        """The JSON whose MD5 is the folder's hash; it is an object of the cache itself."""
        return listing_bytes(self.files)


def hash_bytes(data: bytes) -> str:
    """MD5 in hex."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def hash_file(path: str) -> str:
    """MD5 of a file in hex, without looking at the record.

    Raises:
        OSError: it cannot be read, or is no data: the kernel says the size of /proc/self/environ and its like is 0.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        room = min(_BLOCK, size + 1)  # a buffer of a whole block for each small file is dear
        while block := file.read(room):
            if not size and os.fstat(file.fileno()).st_size == 0:
                raise OSError(errno.EINVAL, "made by the kernel, no data", path)
            digest.update(block)
    return digest.hexdigest()


class Hasher:
    """Hashes the workspace. Thread-safe."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[str, tuple[tuple[int, float, int], str]] = {}
        self._recorded: dict[str, str | None] = {}
        self._new: dict[str, tuple[str, os.stat_result]] = {}
        self._links: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()

    def content(self, path: str) -> Content | None:
        """The content of `path` (absolute): a file or a folder; None when it does not exist.

        Raises:
            UserError: it cannot be read, or is neither file nor folder.
        """
        try:
            info = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        if stat.S_ISDIR(info.st_mode):
            return self.tree(path).content
        return Content(self.file_value(path, info), info.st_size, isexec=bool(info.st_mode & stat.S_IXUSR))

    def tree(self, folder: str) -> Tree:
        """The content of a folder, with its files.

        Raises:
            UserError: a file cannot be read, or a `.dvcignore` lies in it.
        """
        files, size = [], 0
        try:
            for root, names in self._repository.walk(folder):
                prefix = os.path.relpath(root, folder).replace(os.sep, "/") + "/" if root != folder else ""
                if ".dvcignore" in names:
                    raise UserError(
                        f"{root}: a .dvcignore lies in a folder that is data", hint="move it to a parent folder"
                    )
                for name in names:
                    path = f"{root}{os.sep}{name}"
                    info = os.stat(path)
                    files.append(FileHash(prefix + name, self.file_value(path, info)))
                    size += info.st_size
        except OSError as error:
            raise _unreadable(error.filename or folder, error) from error
        files.sort()
        value = hash_bytes(listing_bytes(files)) + ".dir"
        return Tree(Content(value, size, len(files)), tuple(files))

    def file_value(self, path: str, info: os.stat_result) -> str:
        """MD5 of a regular file, from the record when it has not changed.

        Raises:
            UserError: it cannot be read, its name is not UTF-8, or it is no regular file: opening a pipe would wait for
            its writer.
        """
        if not path.isascii():
            _refuse_other_encodings(path)
        if not stat.S_ISREG(info.st_mode):
            raise UserError(f"{path}: neither a file nor a folder", hint="a dependency or output must be one of them")
        mark = (info.st_ino, info.st_mtime, info.st_size)
        known = self._known.get(path)
        if known and known[0] == mark:
            return known[1]
        value = self._look_up(path, info)
        if value is None:
            try:
                value = hash_file(path)
            except OSError as error:
                raise _unreadable(path, error) from error
            self.remember(path, value, info)
        self._known[path] = (mark, value)
        return value

    def legacy_content(self, path: str) -> Content | None:
        """As `content`, hashed as DVC 2 did."""
        if not os.path.exists(path):
            return None
        from dvc.fs import localfs
        from dvc_data.hashfile.build import build

        for root, names in self._repository.walk(path) if os.path.isdir(path) else ():
            for name in names:
                _refuse_other_encodings(f"{root}{os.sep}{name}")
        odb = self._repository.full.cache.legacy
        _, meta, obj = build(odb, path, localfs, "md5-dos2unix", dry_run=True, ignore=self._repository.full.dvcignore)
        return Content(str(obj.hash_info.value), meta.size, meta.nfiles, isexec=meta.isexec, legacy=True)

    def preload(self, paths: Iterable[str]) -> None:
        """Read the record of many files (absolute paths) at once."""
        self._recorded.update(self._repository.state.hashes.get_many(list(paths)))

    def remember(self, path: str, value: str, info: os.stat_result) -> None:
        """Note the hash of a file for DVC's record."""
        with self._lock:
            self._new[path] = (value, info)
        self._known[path] = ((info.st_ino, info.st_mtime, info.st_size), value)

    def remember_link(self, path: str) -> None:
        """Note that we put `path` (absolute) there from the cache, so that `dvc checkout` may take it away again."""
        from dvc.fs import localfs
        from dvc_data.hashfile.utils import get_mtime_and_size
        from dvc_objects.fs.system import inode

        mtime, _ = get_mtime_and_size(path, localfs, self._repository.ignore)
        with self._lock:
            self._links[os.path.relpath(path, self._repository.home)] = (inode(path), mtime)

    def forget(self, path: str) -> None:
        """Drop what is known of a file: it was removed, or will be written again."""
        self._known.pop(path, None)

    def flush(self) -> None:
        """Write what is new to DVC's record."""
        with self._lock:
            new, self._new = self._new, {}
            links, self._links = self._links, {}
        rows = [(path, _record(value, info)) for path, (value, info) in new.items()]
        state = self._repository.state
        if rows:
            state.hashes.set_many(rows, retry=True)
        if links:
            with state.links.transact(retry=True):
                for path, link in links.items():
                    state.links[path] = link

    def _look_up(self, path: str, info: os.stat_result) -> str | None:
        raw = self._recorded.pop(path) if path in self._recorded else self._repository.state.hashes.get(path)
        if not raw:
            return None
        try:
            record = json.loads(raw)
            value = record["hash_info"]["md5"]
        except (ValueError, KeyError, TypeError):
            return None
        if record.get("version") != 1 or record.get("checksum") != _mark(info):
            return None
        return str(value)


def _mark(info: os.stat_result) -> str:
    """How DVC's record knows that a file is unchanged.

    Source: dvc-data 3.18 `hashfile/state.py: _checksum`, fsspec `utils.tokenize`, read 2026-11-22.
    """
    token = hashlib.md5(str(([info.st_ino, info.st_mtime, info.st_size],)).encode(), usedforsecurity=False)
    return str(int(token.hexdigest(), 16))


def _record(value: str, info: os.stat_result) -> str:
    record = {"version": 1, "checksum": _mark(info), "size": info.st_size, "hash_info": {"md5": value}}
    return json.dumps(record, separators=(",", ":"))


def _refuse_other_encodings(path: str) -> None:
    """A name that is not UTF-8 fits into no record of DVC's, whose own commands fail on it too."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        message = f"{path}: the name of this file is not UTF-8"
        raise UserError(message, hint="give it another name; DVC keeps names as UTF-8 alone") from error


def _unreadable(path: str, error: OSError) -> UserError:
    return UserError(
        f"{path}: {error.strerror or error}", hint="make it readable for this user, or take it out of the stage"
    )
