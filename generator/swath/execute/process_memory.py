"""How much memory a process and its descendants use, from /proc.

Shared pages count once: the sum of the resident sizes (cheap) is an upper bound, and only when it passes the limit are
the proportional sizes (dear: the kernel walks the page tables) added up. Called by `execute/child.py`.

Source: https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html and proc_pid_status.5.html, read 2026-11-22.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_RSS: Final = re.compile(rb"^VmRSS:\s+(\d+) kB", re.MULTILINE)
_PEAK: Final = re.compile(rb"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_PSS: Final = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


class MemoryWatch:
    """The memory of one process and its descendants, sampled.

    Args:
        only_below: the process itself does not count: it is a supervisor of ours.

    Attributes:
        peak_bytes: the largest size that one of them had, as of the last sample.
    """

    def __init__(self, pid: int, *, only_below: bool = False) -> None:
        self._pid = pid
        self._first = int(only_below)
        self.peak_bytes = 0

    def is_above(self, limit_bytes: int | None) -> int | None:
        """Take a sample; the bytes in use when they are more than the limit, else None."""
        total = 0
        members = list(descendants(self._pid))[self._first :]
        for pid in members:
            status = _read(pid, "status")
            total += _kib(_RSS, status) * 1024
            self.peak_bytes = max(self.peak_bytes, _kib(_PEAK, status) * 1024)
        if limit_bytes is None or total <= limit_bytes:
            return None
        shared_once = sum(_kib(_PSS, _read(pid, "smaps_rollup")) for pid in members) * 1024
        used = shared_once or total  # a kernel without smaps_rollup
        return used if used > limit_bytes else None


def descendants(pid: int) -> Iterator[int]:
    """A process and all below it, parents first; those that end meanwhile are left out."""
    waiting = [pid]  # no recursion: they may lie thousands below each other
    while waiting:
        each = waiting.pop()
        yield each
        for thread in _threads(each):
            waiting += map(int, _read(each, f"task/{thread}/children").split())


def group_members(group: int) -> list[int]:
    """The living processes of a process group, zombies not among them."""
    return [pid for pid in _all_processes() if _is_in_group(pid, group)]


def processes_with(variable: str) -> list[int]:
    """The processes that were started with ``NAME=value`` in their environment, as far as we may see."""
    wanted = b"\0" + variable.encode() + b"\0"
    return [pid for pid in _all_processes() if wanted in b"\0" + _read(pid, "environ")]


def _is_in_group(pid: int, group: int) -> bool:
    # pid (name) state ppid pgrp ...: the name may hold anything, so count from its closing bracket
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return len(fields) > 2 and int(fields[2]) == group and fields[0] not in {b"Z", b"X"}


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _all_processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _kib(pattern: re.Pattern[bytes], text: bytes) -> int:
    match = pattern.search(text)
    return int(match[1]) if match else 0
