"""Run a stage's command that is no plain `swath exec`: in the user's shell, as DVC does.

Source: DVC 3.67.1 `stage/run.py` (shell, flags, DVC_ROOT, DVC_STAGE), read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

from swath.execute.guard import GUARD
from swath.model.invocation import Outcome

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

_FLAGS: Final = {"zsh": ["--no-rcs"], "bash": ["--noprofile", "--norc"]}
_GRACE_S: Final = 10.0
_POLL_S: Final = 0.05


def shell_words(command: str) -> list[str]:
    """The shell and its arguments for a command: $SHELL as DVC takes it, else sh; start-up files are not read."""
    shell = os.environ.get("SHELL") or "/bin/sh"
    return [shell, *_FLAGS.get(os.path.basename(shell).lower(), []), "-c", command]


def run_shell(
    command: str,
    *,
    folder: str,
    environment: Mapping[str, str],
    log: BinaryIO,
    stop: threading.Event,
    timeout_s: float | None = None,
    since: float | None = None,
) -> Outcome:
    """Run one command to its end.

    Args:
        folder: working directory, absolute.
        environment: variables beside this process's own.
        log: where its output goes.
        stop: when it is set, the command and its children are ended.
        timeout_s: longest time.
        since: where that time began (`time.monotonic`), when other commands came before; None: now.

    Returns:
        Exit code 128 + n when signal n ended it; a reason when it failed.
    """
    start = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        process = subprocess.Popen(
            shell_words(command),
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(127, f"the shell cannot be started: {error.strerror}", time.monotonic() - start)
    with _guarded(process.pid):
        reason = _wait(process, stop, timeout_s, start if since is None else since)
        end_group(process.pid)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = process.returncode
    code = 128 - code if code < 0 else code
    if code and not reason:
        reason = f"the command ended with exit code {code}" if code < 128 else _signal_reason(code - 128)
    cpu_s = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Outcome(code, reason, time.monotonic() - start, cpu_s, temporary=code == os.EX_TEMPFAIL)


@contextlib.contextmanager
def _guarded(group: int) -> Iterator[None]:
    """See to it that the group ends when this process does."""
    os.write(GUARD.pipe(), f"+{group}\n".encode())
    try:
        yield
    finally:
        GUARD.leave(group)


def _wait(process: subprocess.Popen[bytes], stop: threading.Event, timeout_s: float | None, since: float) -> str:
    """Wait for the end, or bring it about; the reason in the second case."""
    pause = 0.001
    while True:
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            pause = min(pause * 2, _POLL_S)
        else:
            return ""
        if stop.is_set():
            _end(process)
            return "stopped"
        if timeout_s is not None and time.monotonic() > since + timeout_s:
            _end(process)
            return f"it took longer than its timeout of {timeout_s:g} s"


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        end_group(process.pid)
        process.wait()


def end_group(group: int) -> None:
    """Kill what is left of a process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _signal_reason(number: int) -> str:
    name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
    more = (
        " (the system may have run out of memory: see its log, give the stage less work or more memory)"
        if number == signal.SIGKILL
        else ""
    )
    return f"it was ended by {name}{more}"
