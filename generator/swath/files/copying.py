"""Copy large files: holes stay holes, blocks are shared where the file system can, and a stop is answered at once.

Called by everything that copies data of stages: staging folders, the cache, checkouts.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final, Protocol

from swath.errors import NO_SPACE, InterruptedRunError
from swath.files.access import change_mode, open_file, open_folder, regular

_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
CHUNK: Final = 16 * 2**20  # bytes between two looks at the stop event: a tenth of a second on a slow disk
_NOT_BY_KERNEL: Final = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM, errno.ETXTBSY}
)


class Stop(Protocol):
    """A `threading.Event`, or something else that is asked before each chunk."""

    def is_set(self) -> bool:
        """Whether the copy shall end."""


def copy_file(source: str, target: str, stop: Stop | None = None, *, follow: bool = True) -> None:
    """Copy the bytes of a regular file into a new or emptied file with the default mode.

    Args:
        source: its path.
        target: where the copy goes; what a stopped copy has written so far stays there for the caller to remove.
        stop: ends the copy when set; None: nothing does.
        follow: whether `source` may be a link.

    Raises:
        OSError: one cannot be read or written; ELOOP: `source` is a link that is not to be followed; EINVAL: it is no
            regular file.
        InterruptedRunError: `stop` was set.
    """
    reading = regular(os.open(source, _READ), source) if follow else open_file(source)
    try:
        _copy_into(reading, target, stop)
    except OSError as error:
        error.filename = error.filename or (target if error.errno in NO_SPACE else source)
        raise
    finally:
        os.close(reading)


def copy_tree(source: str, target: str, stop: Stop | None = None, *, dir_fd: int | None = None) -> None:
    """Copy a file, a link or a folder with all in it: links as they are, modes without set-uid, times.

    Args:
        source: its path; no link in it is followed but those above its last part.
        target: does not exist yet; what a stopped copy has written so far stays there for the caller to remove.
        stop: ends the copy when set.
        dir_fd: an open folder that `source` starts at.

    Raises:
        OSError: something cannot be read or written, or is neither a file, a link nor a folder.
        InterruptedRunError: `stop` was set.
    """
    info = os.lstat(source, dir_fd=dir_fd)
    if stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(source, dir_fd=dir_fd), target)
    elif stat.S_ISDIR(info.st_mode):
        _copy_folder(source, target, stop, dir_fd)
    else:
        _copy_whole_file(source, target, stop, dir_fd)


def _copy_folder(source: str, target: str, stop: Stop | None, dir_fd: int | None) -> None:
    folder = open_folder(source, dir_fd)
    try:
        os.mkdir(target)
        for name in sorted(os.listdir(folder)):
            copy_tree(name, f"{target}{os.sep}{name}", stop, dir_fd=folder)
        _copy_marks(folder, target)
    finally:
        os.close(folder)


def _copy_whole_file(source: str, target: str, stop: Stop | None, dir_fd: int | None) -> None:
    reading = open_file(source, dir_fd)
    try:
        _copy_into(reading, target, stop)
        _copy_marks(reading, target)
    finally:
        os.close(reading)


def _copy_into(reading: int, target: str, stop: Stop | None) -> None:
    writing = os.open(target, _WRITE, 0o666)
    try:
        copy_bytes(reading, writing, stop)
    finally:
        os.close(writing)


def _copy_marks(opened: int, target: str) -> None:
    info = os.fstat(opened)
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))
    change_mode(target, stat.S_IMODE(info.st_mode) & 0o777)


def copy_bytes(reading: int, writing: int, stop: Stop | None = None) -> None:
    """Copy an open regular file into an open empty one.

    Args:
        reading: file descriptor.
        writing: file descriptor.
        stop: ends the copy when set.

    Raises:
        OSError: one cannot be read or written.
        InterruptedRunError: `stop` was set.
    """
    size = os.fstat(reading).st_size
    copy_range, end = _by_kernel if hasattr(os, "copy_file_range") else _by_hand, 0
    while (part := _next_data(reading, end, size)) is not None:
        position, end = part
        while position < end:
            if stop is not None and stop.is_set():
                raise InterruptedRunError("stopped while files were copied")
            copied = copy_range(reading, writing, position, min(CHUNK, end - position))
            if copied < 0:
                copy_range = _by_hand
            elif copied == 0:  # the file became shorter
                os.ftruncate(writing, position)
                return
            else:
                position += copied
    os.ftruncate(writing, size)


def _next_data(reading: int, position: int, size: int) -> tuple[int, int] | None:
    """Where the next bytes that are no hole begin and end; None: there are no more."""
    if position >= size:
        return None
    try:
        start = os.lseek(reading, position, os.SEEK_DATA)
        return start, min(os.lseek(reading, start, os.SEEK_HOLE), size)
    except OSError as error:
        return None if error.errno == errno.ENXIO else (position, size)  # the file system knows of no holes


def _by_kernel(reading: int, writing: int, position: int, length: int) -> int:
    """Bytes copied; -1: these two files need `_by_hand`."""
    try:
        return os.copy_file_range(reading, writing, length, position, position) or -1
    except OSError as error:
        if error.errno in _NOT_BY_KERNEL:
            return -1
        raise


def _by_hand(reading: int, writing: int, position: int, length: int) -> int:
    """Bytes copied; 0: the file ends here."""
    block = memoryview(os.pread(reading, length, position))
    done = 0
    while done < len(block):
        done += os.pwrite(writing, block[done:], position + done)
    return done
