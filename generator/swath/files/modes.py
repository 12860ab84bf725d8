"""Modes of new files and folders, without setting the process's umask: that counts for all threads at once."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from typing import Final

_UMASK: Final = re.compile(rb"^Umask:\s*([0-7]+)$", re.MULTILINE)


def process_umask(status: str = "/proc/self/status") -> int:
    """The process's umask, read and not set.

    Args:
        status: what the kernel says of this process (Linux 4.7 and later); without it a file is made to see its mode.

    Source: proc_pid_status(5), read 2026-11-28.
    """
    try:
        with open(status, "rb") as file:
            said = _UMASK.search(file.read())
    except OSError:
        said = None
    return int(said[1], 8) if said else _tried()


def _tried() -> int:
    with tempfile.TemporaryDirectory(prefix="swath-umask-") as folder:
        handle = os.open(os.path.join(folder, "new"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o777)
        try:
            return 0o777 & ~stat.S_IMODE(os.fstat(handle).st_mode)
        finally:
            os.close(handle)


def make_open_folders(path: str) -> None:
    """Make a folder and those above it that are missing, writable for everybody whatever the umask is.

    Raises:
        OSError: one cannot be made.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        make_open_folders(parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    os.chmod(path, 0o777)  # noqa: S103 - what it is for: every user of the machine keeps records there
