"""Is there space for a stage? A runner's shared cache makes some: what nobody has used for long goes first.

Other jobs may read the same cache. A hard link or a copy outlives its object; a symbolic link does not, and neither
does the look that a job just took. So what was used within a day stays, and using an object is noted on it (its access
time, set by hand, since many file systems do not).
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from swath.errors import PassingFaultError
from swath.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from swath.dvc_border.cache import Cache
    from swath.model.content import Content

_STAYS_S: Final = 24 * 3600.0


class _Object(NamedTuple):
    used: float
    path: str
    size: int


def free_bytes(path: str) -> int:
    """What an ordinary user may still write at a path, or where it would lie."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def check_space(root: str, cache: str, wanted: int, incoming: int) -> None:
    """See that a stage can start.

    Args:
        root: the checkout.
        cache: DVC's cache; what it lacks of `wanted` was to be made by `make_room` before.
        wanted: bytes that the stage asks for (`resources.disk`).
        incoming: bytes that have to be pulled.

    Raises:
        PassingFaultError: a file system has less; says what is free and what is needed.
    """
    for path, needed in ((root, wanted), (cache, wanted + incoming)):
        free = free_bytes(path)
        if free < needed:
            raise PassingFaultError(
                f"{path} has {Size(free)} of free space, the stage needs {Size(needed)}"
                f"{f' ({Size(incoming)} of it for its inputs)' if incoming and path == cache else ''}: "
                "free some, or ask for less (resources.disk)"
            )


def note_use(cache: Cache, contents: Iterable[Content]) -> None:
    """Note on objects that they are in use."""
    now = time.time_ns()
    for content in contents:
        for value in (content.value, *(file.value for file in (cache.sound_files(content) or ()) if content.is_folder)):
            path = cache.path(type(content)(value, legacy=content.legacy))
            with contextlib.suppress(OSError):  # another user's: its age tells
                os.utime(path, ns=(now, os.stat(path).st_mtime_ns))


def make_room(cache: str, needed: int, keep: Container[str]) -> int:
    """Remove objects that were not used for longest, until there is room.

    Args:
        cache: a runner's shared cache.
        needed: bytes that shall be free.
        keep: hashes that stay whatever their age: those of the present plan.

    Returns:
        Bytes that were removed.
    """
    free, removed = free_bytes(cache), 0
    if free >= needed:
        return 0
    for each in sorted(_old_objects(cache, keep)):
        with contextlib.suppress(OSError):
            if _used(os.stat(each.path)) > each.used:  # somebody has come in between
                continue
            os.unlink(each.path)
            removed += each.size
        if removed and free_bytes(cache) >= needed:
            break
    return removed


def _old_objects(cache: str, keep: Container[str]) -> Iterator[_Object]:
    """The objects, and what killed jobs left, that nobody has used for a day."""
    oldest = time.time() - _STAYS_S
    base = os.path.join(cache, "files", "md5")
    for prefix in _names(base):
        for name in _names(os.path.join(base, prefix)):
            path = os.path.join(base, prefix, name)
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if prefix + name not in keep and _used(status) < oldest:
                    yield _Object(_used(status), path, status.st_size)


def _used(status: os.stat_result) -> float:
    return max(status.st_atime, status.st_mtime)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
