"""What Swath keeps on this machine beside caches: environments of services, and scratch folders of work that failed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from swath.execute.python_environment import cache_folder
from swath.files.removal import remove
from swath.job.space import size_if_old

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from swath.clean.places import GcOptions


class OldThing(NamedTuple):
    """One thing that goes, or went; its size in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class OldThings:
    """What goes of this machine's own things.

    Attributes:
        place: in words.
        kept: how many stay.
        kept_bytes: how much those are; 0 where that is not asked for.
    """

    place: str
    kind: Literal["environment", "image", "scratch"]
    things: tuple[OldThing, ...]
    kept: int
    kept_bytes: int = 0

    @property
    def freed_bytes(self) -> int:
        """How much all that is."""
        return sum(each.size for each in self.things)


def clean_environments(environ: Mapping[str, str], options: GcOptions) -> OldThings:
    """Remove environments that nobody has used within the age, and what killed processes left of them."""
    base = cache_folder(environ) / "envs"
    found: list[OldThing] = []
    folders = [each for each in sorted(base.iterdir()) if each.is_dir()] if base.is_dir() else []
    oldest = time.time() - options.age_s
    for folder in folders:
        if _used(folder) >= oldest:
            continue
        thing = OldThing(str(folder), _size(folder))
        if options.dry_run or _remove(folder):
            found.append(thing)
    return OldThings(f"the environments in {base}", "environment", tuple(found), len(folders) - len(found))


def clean_scratch(folder: Path, options: GcOptions) -> OldThings:
    """Remove scratch folders of this machine in which nothing was written within the age.

    Args:
        folder: where they lie.
    """
    found: list[OldThing] = []
    folders = [each for each in sorted(folder.iterdir()) if each.is_dir()] if folder.is_dir() else []
    for each in folders:
        size = size_if_old(str(each), time.time() - options.age_s)
        if size is None:
            continue
        with contextlib.suppress(OSError):
            if not options.dry_run:
                remove(each)
            found.append(OldThing(str(each), size))
    return OldThings(f"the scratch folders in {folder}", "scratch", tuple(found), len(folders) - len(found))


def _used(folder: Path) -> float:
    """When it was used last: Swath notes that on the folder."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _remove(folder: Path) -> bool:
    """Remove one, unless somebody is making it."""
    name = folder.name.partition(".")[0]
    with (folder.with_name(f"{name}.lock")).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        gone = folder.with_name(f"{name}.gc.tmp")  # first out of the way: half an environment is none
        with contextlib.suppress(OSError):
            remove(gone)
            folder.rename(gone)
            remove(gone)
            return True
    return False


def _size(folder: Path) -> int:
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                info = os.lstat(os.path.join(root, name))
                size += info.st_size if info.st_nlink == 1 else 0  # else the package cache has it too
    return size
