"""What a service left behind, looked at before anything is done with it. The one place that says what is allowed.

    an output        a file or a folder; its parents are folders
    a link in it     leads to something in the same output, as DVC has it: a file behind a link counts as a file, a link
                     to a folder does not count
    everything else  is a fault: links that lead out of the output (by an absolute path, `..`, other links), to nothing
                     or in a circle; pipes, sockets and devices; what is too deep or cannot be read

Each name is looked up in an open folder and never followed, so that nothing outside is ever touched, whatever the names
say. Called by the runtimes when a service has ended, before its outputs are moved, hashed, cached or sent.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from swath.files.access import change_mode, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST: Final = 256  # folders below each other; the system takes no path of more than 4,096 bytes
_MOST_HOPS: Final = 40  # links on the way of one link, as in the kernel
_PRIVILEGES: Final = stat.S_ISUID | stat.S_ISGID


class LeftBehindError(Exception):
    """What a service left behind is not what it may leave; the message goes on from "its output NAME"."""


@contextmanager
def folder_of(top: str, inside: str) -> Iterator[int]:
    """The open folder in which an output lies; no link below `top` is followed on the way.

    Args:
        top: a folder whose own path can be trusted.
        inside: the output's path below it, normalised.

    Raises:
        LeftBehindError: a folder on the way is a link.
        FileNotFoundError: a folder on the way is not there.
    """
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        parts = inside.split("/")[:-1]
        for number, part in enumerate(parts, 1):
            inner = _open_part(folder, part, "/".join(parts[:number]))
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _open_part(folder: int, part: str, path: str) -> int:
    mode = os.lstat(part, dir_fd=folder).st_mode
    if stat.S_ISLNK(mode):
        raise LeftBehindError(f"lies behind a link: {path!r} -> {os.readlink(part, dir_fd=folder)!r}")
    if not stat.S_ISDIR(mode):
        raise FileNotFoundError(errno.ENOENT, "a file is where a folder should be", path)
    return open_folder(part, folder)


def check_output(folder: int, name: str, *, is_directory: bool, seen_at: str | None = None) -> None:
    """Check one output, and take set-uid and set-gid from its files.

    Args:
        folder: the open folder in which it lies.
        name: its last part.
        is_directory: whether the interface promises a folder.
        seen_at: the absolute path of the output, if links may say it: the service ran on this file system.

    Raises:
        LeftBehindError: it is not what a service may leave behind.
        FileNotFoundError: it is not there.
    """
    info = os.lstat(name, dir_fd=folder)
    if stat.S_ISLNK(info.st_mode):
        raise LeftBehindError(f"is a symbolic link to {os.readlink(name, dir_fd=folder)!r}")
    if is_directory != stat.S_ISDIR(info.st_mode):
        raise LeftBehindError(f"is {'not ' if is_directory else ''}a directory")
    if not is_directory:
        _check_file(folder, name, name, info)
        return
    top = _opened(folder, name, name)
    try:
        _check_folder(top, top, (), seen_at)
    finally:
        os.close(top)


def _check_folder(top: int, folder: int, path: tuple[str, ...], seen_at: str | None) -> None:
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in entries)
    for name, info in found:
        inside = "/".join((*path, name))
        if stat.S_ISLNK(info.st_mode):
            _check_link(top, path, name, seen_at)
        elif not stat.S_ISDIR(info.st_mode):
            _check_file(folder, name, inside, info)
        elif len(path) == _DEEPEST:
            raise LeftBehindError(f"has more than {_DEEPEST} folders below each other")
        else:
            inner = _opened(folder, name, inside)
            try:
                _check_folder(top, inner, (*path, name), seen_at)
            finally:
                os.close(inner)


def _opened(folder: int, name: str, path: str) -> int:
    try:
        return open_folder(name, folder)
    except OSError as error:
        raise LeftBehindError(f"cannot be read: {path!r}: {error.strerror}") from error


def _check_file(folder: int, name: str, path: str, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise LeftBehindError(f"holds a pipe, a socket or a device: {path!r}")
    if info.st_mode & _PRIVILEGES:
        try:
            change_mode(name, stat.S_IMODE(info.st_mode) & ~_PRIVILEGES, folder)
        except OSError as error:
            raise LeftBehindError(f"holds a set-uid file: {path!r}: {error.strerror}") from error


def _check_link(top: int, folder: tuple[str, ...], name: str, seen_at: str | None) -> None:
    """See where a link leads, one name after the other, without ever leaving the output."""
    path = "/".join((*folder, name))
    said = f"{path!r} -> {os.readlink(path, dir_fd=top)!r}"
    at, todo, hops = list(folder), [name], 0
    while todo:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if not at:
                raise LeftBehindError(f"has a link that leads out of it: {said}")
            at.pop()
            continue
        here = "/".join((*at, part))
        try:
            is_link = stat.S_ISLNK(os.lstat(here, dir_fd=top).st_mode)
        except OSError as error:
            raise LeftBehindError(f"has a link to nothing: {said}") from error
        if not is_link:
            at.append(part)
            continue
        hops += 1
        if hops > _MOST_HOPS:
            raise LeftBehindError(f"has a link that leads in a circle: {said}")
        text = os.readlink(here, dir_fd=top)
        if text.startswith("/"):
            text, at = _below(text, seen_at, said), []
        todo.extend(reversed(text.split("/")))


def _below(target: str, seen_at: str | None, said: str) -> str:
    """What an absolute link says from the output on."""
    if seen_at is None or not (target == seen_at or target.startswith(f"{seen_at}/")):
        raise LeftBehindError(f"has a link that leads out of it: {said}; a link in an output must be relative")
    return target[len(seen_at) + 1 :]
