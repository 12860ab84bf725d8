"""What this machine has to give to stages."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import psutil

from swath.execute.gpus import visible_gpus
from swath.local.resources import Machine
from swath.model.units import Size


def this_machine(jobs: int | None) -> Machine:
    """This machine, with at most `jobs` stages at a time (None: one for each core)."""
    cpus = len(os.sched_getaffinity(0))
    return Machine(jobs or cpus, float(cpus), _memory_bytes(), _gpus())


def free_disk(folder: str | os.PathLike[str]) -> Size:
    """Bytes that this user may still write on the file system of a folder."""
    info = os.statvfs(folder)
    return Size(info.f_bavail * info.f_frsize)


def _memory_bytes() -> int:
    """Memory that this process may use: the machine's, or the limit of its control group."""
    total = int(psutil.virtual_memory().total)
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            return min(total, int(text))
    return total


@cache
def _gpus() -> tuple[str, ...]:
    return visible_gpus(os.environ)
