"""DVC's record of who reads and writes which paths right now.

`dvc` commands beside a run look there: `dvc status` says that a path is busy, as it does beside `dvc repro`. A run
changes the record twice a stage, so it is written in place: a file that is emptied first costs a wait for the disk on
ext4 (auto_da_alloc), which was a third of a run of short stages. Spaces fill it up to whole blocks, JSON all the same.

Source: DVC 3.67.1 `rwlock.py`, read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import psutil

from swath.errors import PassingFaultError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from swath.dvc_border.repository import Repository

_WAIT_S: Final = 30.0
_STAYS_LOCKED: Final = "DVC's rwlock file stays locked by another process"
_BLOCK: Final = 4096
Record = dict[str, Any]


class PathLocks:
    """Reads and writes of this process. Thread-safe."""

    def __init__(self, repository: Repository) -> None:
        self._folder = repository.dvc_dir / "tmp"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = str(self._folder / "rwlock")
        hardlink = bool(repository.config["core"].get("hardlink_lock", False))
        guard = str(self._folder / "rwlock.lock")
        self._guard = _HardlinkGuard(guard, str(self._folder)) if hardlink else _FlockGuard(guard)
        self._info = {"pid": os.getpid(), "cmd": " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])}
        self._mutex = threading.Lock()
        self._record: Record = {"write": {}, "read": {}}
        self._text = b""  # what stood in the file when `_record` was read or written

    def enter(self, read: Iterable[str], write: Iterable[str]) -> None:
        """Note that absolute paths are read and written from now on.

        Raises:
            PassingFaultError: another process that lives works on one of them.
        """
        read, write = list(read), list(write)
        with self._mutex, self._guard, self._opened() as fd:
            record = self._load(fd)
            blocker = next(self._blockers(record, read, write), None)
            if blocker:
                path, pid, command = blocker
                raise PassingFaultError(f"{path} is in use by process {pid} ({command}): wait for it, then run again")
            for path in read:
                record["read"].setdefault(path, []).append(self._info)
            for path in write:
                record["write"][path] = self._info
            self._store(fd)

    def leave(self, read: Iterable[str], write: Iterable[str]) -> None:
        """Take back what `enter` noted."""
        with self._mutex, self._guard, self._opened() as fd:
            record = self._load(fd)
            for path in read:
                readers = record["read"].get(path, [])
                if self._info in readers:
                    readers.remove(self._info)
                if not readers:
                    record["read"].pop(path, None)
            for path in write:
                if record["write"].get(path) == self._info:
                    del record["write"][path]
            self._store(fd)

    def _blockers(self, record: Record, read: list[str], write: list[str]) -> Iterator[tuple[str, int, str]]:
        for path, info in record["write"].items():
            if self._is_other(info) and any(_overlap(path, mine) for mine in (*read, *write)):
                yield path, info["pid"], info["cmd"]
        for path, infos in record["read"].items():
            for info in infos:
                if self._is_other(info) and any(_overlap(path, mine) for mine in write):
                    yield path, info["pid"], info["cmd"]

    def _is_other(self, info: Record) -> bool:
        return bool(info["pid"] != self._info["pid"] and psutil.pid_exists(int(info["pid"])))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            yield fd
        finally:
            os.close(fd)

    def _load(self, fd: int) -> Record:
        """The record; read from the text only when another process wrote it."""
        text = os.pread(fd, os.fstat(fd).st_size, 0)
        if text != self._text:
            self._text, self._record = text, _parse(text)
        return self._record

    def _store(self, fd: int) -> None:
        """Write the record. One write of whole blocks, and what is cut off then is spaces: a kill leaves it whole."""
        kept = json.dumps({mode: entries for mode, entries in self._record.items() if entries}).encode()
        size, before = -(-len(kept) // _BLOCK) * _BLOCK, len(self._text)
        self._text = b""  # when writing fails, the next one reads what stands there
        os.pwrite(fd, kept.ljust(max(size, before)), 0)
        if size < before:
            os.ftruncate(fd, size)
        self._text = kept.ljust(size)


def _parse(text: bytes) -> Record:
    """A record from its text, less what is not of DVC's form."""
    try:
        record = json.loads(text or b"{}")
    except ValueError:
        record = None
    record = record if isinstance(record, dict) else {}
    write, read = (record.get(mode) for mode in ("write", "read"))
    return {
        "write": {path: info for path, info in write.items() if _is_info(info)} if isinstance(write, dict) else {},
        "read": {path: _infos(each) for path, each in read.items()} if isinstance(read, dict) else {},
    }


class _FlockGuard:
    """DVC's lock on the record itself, as zc.lockfile holds it; the file stays open, since stages are many."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> None:
        until = time.monotonic() + _WAIT_S
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise PassingFaultError(_STAYS_LOCKED) from error
                time.sleep(0.005)
            else:
                return

    def __exit__(self, *exception: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def __del__(self) -> None:
        os.close(self._fd)


class _HardlinkGuard:
    """The same where the repository is set up for file systems without flock (`core.hardlink_lock`)."""

    def __init__(self, path: str, folder: str) -> None:
        from dvc.lock import make_lock

        self._lock = make_lock(path, tmp_dir=folder, hardlink_lock=True)

    def __enter__(self) -> None:
        from dvc.lock import LockError

        until = time.monotonic() + _WAIT_S
        while True:
            try:
                self._lock.lock()
            except LockError as error:
                if time.monotonic() > until:
                    raise PassingFaultError(_STAYS_LOCKED) from error
            else:
                return

    def __exit__(self, *exception: object) -> None:
        self._lock.unlock()


def _is_info(info: object) -> bool:
    return isinstance(info, dict) and isinstance(info.get("pid"), int) and isinstance(info.get("cmd"), str)


def _infos(infos: object) -> list[Record]:
    return [info for info in infos if _is_info(info)] if isinstance(infos, list) else []


def _overlap(a: str, b: str) -> bool:
    return a == b or a.startswith(b + os.sep) or b.startswith(a + os.sep)
