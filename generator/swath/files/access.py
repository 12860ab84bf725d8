"""Open and change files and folders that somebody else has written, without following a link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OWNER: Final = 0o700


def open_folder(path: str, dir_fd: int | None = None) -> int:
    """A file descriptor of a folder, whose owner may do everything in it from now on, as far as we may say so.

    Args:
        path: one name below `dir_fd`; or a path whose last part only must be no link.

    Raises:
        OSError: it cannot be opened; ENOTDIR or ELOOP: it is a link, or no folder.
    """
    try:
        folder = os.open(path, _FOLDER, dir_fd=dir_fd)
    except PermissionError:
        change_mode(path, _OWNER, dir_fd)
        folder = os.open(path, _FOLDER, dir_fd=dir_fd)
    mode = stat.S_IMODE(os.fstat(folder).st_mode)
    if mode & _OWNER != _OWNER:
        with contextlib.suppress(OSError):
            os.fchmod(folder, mode | _OWNER)
    return folder


def open_file(path: str, dir_fd: int | None = None) -> int:
    """A file descriptor to read a regular file from; opening a pipe waits for nobody.

    Raises:
        OSError: it cannot be opened; ELOOP: it is a link; EINVAL: it is no regular file.
    """
    return regular(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=dir_fd), path)


def regular(opened: int, path: str) -> int:
    """The file descriptor itself.

    Raises:
        OSError: EINVAL: it is that of no regular file; it is closed.
    """
    if stat.S_ISREG(os.fstat(opened).st_mode):
        return opened
    os.close(opened)
    raise OSError(errno.EINVAL, "not a regular file", path)


def change_mode(path: str, mode: int, dir_fd: int | None = None) -> None:
    """Set the mode of a file or folder itself, also where it may not be opened.

    Raises:
        OSError: it is not ours, or a link.
    """
    if not hasattr(os, "O_PATH"):  # macOS
        os.chmod(path, mode, dir_fd=dir_fd, follow_symlinks=False)
        return
    place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        if stat.S_ISLNK(os.fstat(place).st_mode):
            raise OSError(errno.ELOOP, "a symbolic link has no mode", path)
        os.chmod(f"/proc/self/fd/{place}", mode)
    finally:
        os.close(place)
