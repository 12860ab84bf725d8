"""Remove what stands in the way of an output. Links are removed, never followed: DVC's cache and the host stay whole.

Folders are emptied through file descriptors, so that neither write protection, nor depth, nor a folder that becomes a
link meanwhile leads anywhere else.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

from swath.files.access import open_folder

_DEEPEST: Final = 64  # folders below each other that are open at once; what is deeper is moved up first


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file, a link, or a folder with all in it, be it write-protected; nothing when it is not there.

    Raises:
        OSError: something cannot be removed; all that can be is gone.
    """
    try:
        os.unlink(path)  # nearly always it is a file, or nothing: one call
    except FileNotFoundError:
        return
    except OSError:
        if os.path.islink(path) or not os.path.isdir(path):
            raise
        _remove_folder(path)


def _remove_folder(path: str | os.PathLike[str]) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(path)
        return
    faults: list[OSError] = []
    top = open_folder(os.fspath(path))
    try:
        while _empty(top, top, 0, faults):
            pass
    finally:
        os.close(top)
    if faults:
        raise faults[0]
    os.rmdir(path)


def _empty(folder: int, top: int, depth: int, faults: list[OSError]) -> bool:
    """Remove what is in an open folder; whether something too deep was moved up to `top` instead."""
    is_moved = False
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        try:
            if not is_folder:
                os.unlink(name, dir_fd=folder)
            elif depth < _DEEPEST:
                is_moved |= _remove_inner(folder, name, top, depth, faults)
            else:
                os.close(open_folder(name, dir_fd=folder))  # makes it writable: its parent changes
                os.rename(name, f".swath-{os.urandom(8).hex()}", src_dir_fd=folder, dst_dir_fd=top)
                is_moved = True
        except OSError as error:
            faults.append(error)
    return is_moved and not faults


def _remove_inner(folder: int, name: str, top: int, depth: int, faults: list[OSError]) -> bool:
    inner = open_folder(name, dir_fd=folder)
    try:
        is_moved = _empty(inner, top, depth + 1, faults)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)
    return is_moved
