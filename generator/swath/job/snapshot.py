"""A copy of a folder that a service is still writing to, so that what is hashed is what is sent.

A file is hard-linked first, which costs nothing and outlives a rename: that is how a checkpoint is usually replaced. A
file that is written in place changes through the link as well. This shows in its size or time, and it is then copied.
One that never holds still is left out, and the caller keeps what it had before.

What a service has written may be hostile: folders are entered through descriptors and links are never followed, so only
regular files below the folder are taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from swath.errors import InterruptedRunError
from swath.files.copying import copy_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TRIES: Final = 3
_PAUSE_S: Final = 0.5
_BLOCK: Final = 2**20
_DEPTH: Final = 100  # of folders; deeper ones are nobody's checkpoint
_Mark = tuple[int, int, int]


class Taken(NamedTuple):
    """One file of a snapshot.

    Attributes:
        path: from the folder, with forward slashes.
        place: where its bytes lie, absolute; empty: it was being written all the time.
        md5: of the bytes.
        mark: what a hard link looked like when it was hashed; None for a copy, which nobody writes to.
    """

    path: str
    place: str = ""
    md5: str = ""
    mark: _Mark | None = None

    @property
    def has_changed(self) -> bool:
        """Whether somebody has written to the file since it was hashed."""
        return self.mark is not None and self.mark != _mark(os.lstat(self.place))


@dataclass(slots=True)
class Snapshots:
    """Takes snapshots of one folder; a file that has not changed is hashed once.

    Attributes:
        folder: whose files are taken; others may write to it.
        written_in_place: paths that are copied at once.
    """

    folder: Path
    written_in_place: set[str] = field(default_factory=set)
    _known: dict[_Mark, str] = field(default_factory=dict)

    def take(self, target: Path, stop: threading.Event | None = None) -> list[Taken]:
        """Take all regular files of the folder.

        Args:
            target: an empty folder on the same file system.
            stop: set it to give up.

        Returns:
            The files, by path; those that were being written all the time have no place.

        Raises:
            OSError: the target cannot be written.
            InterruptedRunError: `stop` was set.
        """
        found: list[Taken] = []
        for path, source in files_below(self.folder):
            one = _One(path, source, target / str(len(found)), stop or threading.Event())
            taken = one.take(self._known, copy=path in self.written_in_place)
            if taken is not None:
                found.append(taken)
        self._known = {each.mark: each.md5 for each in found if each.mark is not None}
        return sorted(found)


class Source(NamedTuple):
    """A name in an open folder."""

    name: str
    parent: int


def files_below(folder: Path) -> Iterator[tuple[str, Source]]:
    """Each entry that is no folder: its path, and where it is; no link is followed, no folder that lies too deep."""
    if not folder.is_dir():
        return
    for root, folders, names, descriptor in os.fwalk(folder):
        below = os.path.relpath(root, folder)
        folders[:] = sorted(folders) if below.count(os.sep) < _DEPTH else []
        for name in names:
            yield os.path.normpath(os.path.join(below, name)), Source(name, descriptor)


@dataclass(frozen=True, slots=True)
class _One:
    """One file, and where it goes in the snapshot."""

    path: str
    source: Source
    place: Path
    stop: threading.Event

    def take(self, known: Mapping[_Mark, str], *, copy: bool) -> Taken | None:
        """Take it; None: it is no regular file, or is gone, or is not ours to read."""
        try:
            info = os.stat(self.source.name, dir_fd=self.source.parent, follow_symlinks=False)
            if not stat.S_ISREG(info.st_mode):
                return None
            return (None if copy else self._linked(known)) or self._copied()
        except FileNotFoundError:  # the service has removed it
            return None

    def _linked(self, known: Mapping[_Mark, str]) -> Taken | None:
        """A hard link; None where there can be none, or the file is being written."""
        try:
            os.link(self.source.name, self.place, src_dir_fd=self.source.parent, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError:
            return None
        before = os.lstat(self.place)
        if stat.S_ISREG(before.st_mode):  # it could have been replaced since we looked
            mark = _mark(before)
            with contextlib.suppress(PermissionError):
                md5 = known.get(mark) or self._hash()
                if _mark(os.lstat(self.place)) == mark:
                    return Taken(self.path, str(self.place), md5, mark)
        self.place.unlink()
        return None

    def _copied(self) -> Taken | None:
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE_S)
            descriptor = self._open()
            if descriptor is None:
                return None
            with open(descriptor, "rb", buffering=0), self.place.open("wb", buffering=0) as copy:
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode):
                    break
                copy_bytes(descriptor, copy.fileno(), self.stop)
                if _mark(os.fstat(descriptor)) == _mark(before):
                    return Taken(self.path, str(self.place), self._hash())
        self.place.unlink()
        return Taken(self.path)

    def _open(self) -> int | None:
        """Open it to be read; None: it is a link by now, or not ours to read."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            return os.open(self.source.name, flags, dir_fd=self.source.parent)
        except FileNotFoundError:
            raise
        except OSError:
            return None

    def _hash(self) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        with self.place.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                if self.stop.is_set():
                    raise InterruptedRunError("stopped while files were hashed")
                digest.update(block)
        return digest.hexdigest()


def _mark(info: os.stat_result) -> _Mark:
    return info.st_ino, info.st_size, info.st_mtime_ns
