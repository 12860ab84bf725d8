from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from swath.execute import supervisor
from swath.execute.process_memory import MemoryWatch, descendants, group_members, processes_with

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 2**20
# A parent with 64 MiB that two forked children share, all waiting for the end of stdin.
FAMILY = "import os,sys\nkeep = b'x' * (64 << 20)\nfork = [os.fork() for _ in 'ab']\nprint('ok', flush=True)\nsys.stdin.read()"


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-c", FAMILY]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout
        for _ in range(4):
            process.stdout.readline()
        yield process


def test_a_process_and_all_below_it_are_found(family: subprocess.Popen[bytes]) -> None:
    assert len(list(descendants(family.pid))) == 4 == len(group_members(family.pid))


def test_a_long_chain_of_processes_is_found_and_can_be_killed() -> None:
    """A thousand below each other would take more room than Python has for calls; here it has little."""
    chain = "import os, time\nfor _ in range(40):\n    if os.fork(): break\ntime.sleep(300)"
    with subprocess.Popen([sys.executable, "-c", chain], start_new_session=True) as process:
        until = time.monotonic() + 60
        while len(group_members(process.pid)) < 41 and time.monotonic() < until:
            time.sleep(0.05)
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(len(inspect.stack()) + 25)
        try:
            found, below = list(descendants(process.pid)), supervisor.below(process.pid)
        finally:
            sys.setrecursionlimit(limit)
            os.killpg(process.pid, signal.SIGKILL)
    assert (len(found), below) == (41, found[1:])


def test_shared_memory_counts_once(family: subprocess.Popen[bytes]) -> None:
    watch = MemoryWatch(family.pid)
    assert watch.is_above(200 * MIB) is None
    used = watch.is_above(32 * MIB)
    assert used
    assert 64 * MIB < used < 160 * MIB
    assert 64 * MIB < watch.peak_bytes < 120 * MIB


def test_what_is_gone_uses_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert MemoryWatch(process.pid).is_above(0) is None
    assert group_members(process.pid) == []


def test_a_process_is_known_by_its_variable() -> None:
    with subprocess.Popen(["sleep", "60"], env={"PATH": os.defpath, "SWATH_TEST_MARK": "a b"}) as process:
        assert processes_with("SWATH_TEST_MARK=a b") in ([process.pid], [])
        assert processes_with("SWATH_TEST_MARK=a") == []
        process.kill()
