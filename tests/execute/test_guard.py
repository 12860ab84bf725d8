from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from swath.execute.guard import Guard, supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# A runner with two threads, a service each, that says who they are and then waits.
RUNNER = """
import sys, threading, time
from pathlib import Path
from swath.execute.child import Child, run_child
def run(n):
    stray = f"(env -i /usr/bin/setsid /bin/sh -c 'echo $$ > {n}.stray; exec /bin/sleep 300' &)"
    script = f'{stray}; sleep 300 & echo $! > {n}.child; echo $$ > {n}.pid; wait'
    run_child(Child(['sh', '-c', script], Path.cwd(), {'PATH': '/usr/bin:/bin'}), None, threading.Event())
for n in 'ab':
    threading.Thread(target=run, args=(n,)).start()
time.sleep(300)
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    one = Guard()
    yield one
    one.close()


def start(guard: Guard, *argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(supervised(list(argv)), stdin=guard.pipe(), start_new_session=True, stdout=subprocess.PIPE)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except OSError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_service_gets_its_words_and_an_empty_stdin(guard: Guard) -> None:
    with start(guard, "sh", "-c", 'cat; printf "%s|" "$@"', "sh", "a b", "-x", "", "'\"$") as service:
        assert service.communicate()[0] == b"a b|-x||'\"$|"


def test_who_is_left_is_killed_when_the_guard_ends() -> None:
    guard = Guard()
    with start(guard, "sleep", "300") as service:
        guard.close()
        assert service.wait(10) == -signal.SIGKILL


def test_who_has_left_is_not_killed() -> None:
    guard = Guard()
    script = "echo ready; exec sleep 300"
    with start(guard, "sh", "-c", script) as stays, start(guard, "sh", "-c", script) as leaves:
        for service in (stays, leaves):
            assert service.stdout
            assert service.stdout.readline() == b"ready\n"
        guard.leave(leaves.pid)
        guard.close()
        assert stays.wait(10) == -signal.SIGKILL
        assert leaves.poll() is None
        leaves.kill()


def test_many_come_and_go(guard: Guard) -> None:
    for _ in range(20):
        with start(guard, "true") as service:
            assert service.wait(10) == 0
        guard.leave(service.pid)


def test_a_guard_that_was_killed_is_made_anew(guard: Guard) -> None:
    guard.pipe()
    process = guard._process
    assert process
    process.kill()
    process.wait()
    with start(guard, "true") as service:
        assert service.wait(10) == 0


def test_who_was_at_work_before_a_guard_was_killed_is_guarded_by_the_next(guard: Guard) -> None:
    script = "echo ready; exec sleep 300"
    with (
        start(guard, "sh", "-c", script) as itself,
        subprocess.Popen(["sleep", "300"], start_new_session=True) as other,
    ):
        assert itself.stdout
        assert itself.stdout.readline() == b"ready\n"
        guard.enter(itself.pid, enters_itself=True)
        guard.enter(other.pid)
        number, process = guard.pipe(), guard._process
        assert process
        process.kill()
        process.wait()
        assert guard.pipe() == number
        guard.close()
        assert [each.wait(10) for each in (itself, other)] == [-signal.SIGKILL] * 2


def test_a_guard_that_cannot_be_started_leaves_no_pipe_open(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr("swath.execute.guard.subprocess.Popen", refuse)
        for _ in range(3):
            with pytest.raises(BlockingIOError):
                guard.pipe()
    assert len(os.listdir("/proc/self/fd")) == before
    with start(guard, "true") as service:
        assert service.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_service_outlives_a_killed_runner(tmp_path: Path, number: int) -> None:
    with subprocess.Popen([sys.executable, "-c", RUNNER], cwd=tmp_path) as runner:
        files = [tmp_path / f"{name}.{kind}" for name in "ab" for kind in ("pid", "child", "stray")]
        assert eventually(lambda: all(file.is_file() and file.read_text().strip() for file in files))
        pids = [int(file.read_text()) for file in files]
        assert all(map(is_alive, pids))
        os.kill(runner.pid, number)
    assert eventually(lambda: not any(map(is_alive, pids)))
