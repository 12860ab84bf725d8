"""Is there space for a stage? A runner's cache makes some: what nobody has used for long goes first.

That is the cache that a runner's jobs share, or the one that its kept checkouts have. Once a day, what nobody has used
for a month goes in any case.

Other jobs may read the same cache. A hard link or a copy outlives its object; a symbolic link does not, and neither
does the look that a job just took. So what was used within a day stays, and using an object is noted on it (its access
time, set by hand, since many file systems do not).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from swath.errors import PassingFaultError, UserError
from swath.files.removal import remove
from swath.model.units import Duration, Size

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from swath.dvc_border.cache import Cache
    from swath.model.content import Content

AGE_VARIABLE: Final = "SWATH_CACHE_AGE"
_DAY_S: Final = 24 * 3600.0
_STAYS_S: Final = _DAY_S
_USUAL_AGE_S: Final = 30 * _DAY_S
_LOOKED: Final = "swath/looked"  # its time says when old objects were looked for
_SCRATCH: Final = "swath/scratch"
_DEPTH: Final = 100  # of folders in a scratch folder that is looked at
_PREFIX: Final = re.compile(r"[0-9a-f]{2}")


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
        inner = cache.sound_files(content) or () if content.is_folder else ()
        for value in (content.value, *(file.value for file in inner)):
            path = cache.path(type(content)(value, legacy=content.legacy))
            with contextlib.suppress(OSError):  # another user's: its age tells
                os.utime(path, ns=(now, os.stat(path).st_mtime_ns))


def unused_age(environ: Mapping[str, str]) -> float:
    """After how many seconds an unused object goes from a runner's cache: what SWATH_CACHE_AGE says, a day at least.

    Raises:
        UserError: it says no duration.
    """
    said = environ.get(AGE_VARIABLE)
    try:
        return max(_STAYS_S, Duration.parse(said)) if said else _USUAL_AGE_S
    except ValueError as error:
        raise UserError(f"{AGE_VARIABLE}: {error}") from error


def make_room(cache: str, needed: int, keep: Container[str]) -> int:
    """Remove objects that were not used for longest, until there is room.

    Args:
        cache: a runner's cache.
        needed: bytes that shall be free.
        keep: hashes that stay whatever their age: those of the present plan.

    Returns:
        Bytes that were removed.
    """
    free, removed = free_bytes(cache), 0
    if free >= needed:
        return 0
    for each in sorted(_old_objects(cache, keep, _STAYS_S)):
        removed += _drop(each)
        if removed and free_bytes(cache) >= needed:
            break
    return removed


def drop_unused(cache: str, age_s: float, keep: Container[str]) -> int:
    """Remove objects and scratch folders that nobody has used for long; looked for once a day.

    Args:
        cache: a runner's cache.
        age_s: how long, in seconds.
        keep: as for `make_room`.

    Returns:
        Bytes that were removed.
    """
    looked = os.path.join(cache, _LOOKED)
    try:
        if time.time() - os.stat(looked).st_mtime < _DAY_S:
            return 0
    except OSError:
        pass
    try:
        os.makedirs(os.path.dirname(looked), exist_ok=True)
        with open(looked, "wb"):
            os.utime(looked)
    except OSError:  # not ours to write
        return 0
    removed = sum(map(_drop, _old_objects(cache, keep, age_s)))
    return removed + sum(_drop_scratch(folder, time.time() - age_s) for folder in _scratch_folders(cache))


def _drop(each: _Object) -> int:
    """Remove an object; how many bytes that frees."""
    with contextlib.suppress(OSError):
        if _used(os.lstat(each.path)) <= each.used:  # else somebody has come in between
            os.unlink(each.path)
            return each.size
    return 0


def _scratch_folders(cache: str) -> Iterator[str]:
    base = os.path.join(cache, _SCRATCH)
    return (os.path.join(base, name) for name in _names(base))


def _drop_scratch(folder: str, oldest: float) -> int:
    """Remove a scratch folder in which nothing was written since `oldest`; how many bytes that frees."""
    size = size_if_old(folder, oldest)
    with contextlib.suppress(OSError):
        if size is not None:
            remove(folder)
            return size
    return 0


def size_if_old(folder: str, oldest: float) -> int | None:
    """The size of a folder, in bytes; None: something in it was written since `oldest`, or lies too deep."""
    size = 0
    for root, folders, names, descriptor in os.fwalk(folder):
        if root.count(os.sep) - folder.count(os.sep) > _DEPTH:
            return None
        for name in (".", *folders, *names):
            with contextlib.suppress(OSError):
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                size += status.st_size if stat.S_ISREG(status.st_mode) else 0
                if status.st_mtime >= oldest:
                    return None
    return size


def _old_objects(cache: str, keep: Container[str], age_s: float) -> Iterator[_Object]:
    """The objects, and what killed jobs left, that nobody has used for so many seconds."""
    oldest = time.time() - age_s
    for base in (os.path.join(cache, "files", "md5"), cache):  # as DVC 3 and as DVC 2 have them
        for prefix in filter(_PREFIX.fullmatch, _names(base)):
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
