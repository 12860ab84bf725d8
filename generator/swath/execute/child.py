"""Run one program to its end on this machine, within its limits, and leave nothing of it behind.

The program has a session and process group of its own. A service's has a supervisor above it, and whatever it has
started is killed when it has ended, in whatever session or group it is, so that nothing writes into a stage's outputs
after the stage. Of a plain command only the group is killed: daemons that it starts live on, as under DVC.
Thread-safe: no code of ours runs between fork and exec. Called by the runtimes `process` and `inside`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from swath.errors import PassingFaultError, UserError
from swath.execute.guard import GUARD, supervised
from swath.execute.process_memory import MemoryWatch, descendants, group_members, processes_with
from swath.limits import SERVICE_STOP_S
from swath.model.invocation import EXIT_TEMPORARY, STOPPED, Outcome, exit_code_of, timeout_reason
from swath.model.units import Size

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from swath.model.invocation import EndedBy

_GRACE_S: Final = 10.0  # between SIGTERM and SIGKILL: time to write a checkpoint
_NO_ROOM: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_FIRST_LOOK_S: Final = 0.01
_LAST_LOOK_S: Final = 0.25  # how late, at most, a stop, a timeout or too much memory is seen
_DRAIN_S: Final = 5.0  # for killed processes to be gone


@dataclass(frozen=True, slots=True)
class Child:
    """A program to run.

    Attributes:
        argv: the program and its words.
        cwd: its working directory.
        environment: all of its variables.
        timeout_s: longest time; None: no limit.
        memory_bytes: most memory of it and its descendants together; None: no limit.
        mark: ``NAME=value`` of `environment` that nobody else has: by it strays are known whose supervisor was killed.
        grace_s: time between SIGTERM and SIGKILL.
        supervised: a supervisor enters itself into the guard's list, starts the program, and kills what it leaves;
            False: we enter it, and its group alone is killed, which spares a process where a run starts thousands.
    """

    argv: list[str]
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    memory_bytes: int | None = None
    mark: str = ""
    grace_s: float = _GRACE_S
    supervised: bool = True


@dataclass(frozen=True, slots=True)
class Program:
    """What the system is asked to start.

    Attributes:
        file: the executable.
        argv: its words, its name first.
        cwd: its working directory.
        environment: all of its variables.
        stdin: a file descriptor; None: nothing to read.
        output: the file descriptor of stdout and stderr; None: this process's own.
    """

    file: str
    argv: Sequence[str]
    cwd: str
    environment: Mapping[str, str]
    stdin: int | None = None
    output: int | None = None


def start_by_subprocess(program: Program) -> int:
    """Start a program in a session of its own.

    Returns:
        Its process id. Whoever calls takes its exit.

    Raises:
        OSError: the system cannot start it.
    """
    process = subprocess.Popen(
        program.argv,
        executable=program.file,
        cwd=program.cwd,
        env=program.environment,
        stdin=subprocess.DEVNULL if program.stdin is None else program.stdin,
        stdout=program.output,
        stderr=None if program.output is None else subprocess.STDOUT,
        start_new_session=True,
    )
    process.returncode = 0  # the caller takes its exit, this object does not
    return process.pid


def run_child(
    child: Child,
    log: BinaryIO | None,
    stop: threading.Event,
    *,
    start: Callable[[Program], int] = start_by_subprocess,
) -> Outcome:
    """Run the program to its end.

    Args:
        child: what to run.
        log: where stdout and stderr go; None: to this process's own.
        stop: when it is set, the program is ended.
        start: how the system is asked.

    Returns:
        With the program's exit code, or 128 + n when signal n ended it; a reason whenever that is not 0.

    Raises:
        UserError: there is no such program, or no such working directory.
        PassingFaultError: the system has no room for a further process now.
    """
    problem = _problem(child) if child.supervised else ""  # the supervisor itself can always start
    if problem:
        raise UserError(f"cannot start '{child.argv[0]}': {problem}")
    with _log_file(log) as target:
        try:
            attempt = _Attempt(child, target, start)
        except OSError as error:  # such as too many arguments
            if error.errno in _NO_ROOM:
                hint = "too many processes or open files, or too little memory: end some, then run again"
                raise PassingFaultError(f"cannot start '{child.argv[0]}' now: {error.strerror}; {hint}") from error
            problem = _problem(child) or str(error.strerror)
            raise UserError(f"cannot start '{child.argv[0]}': {problem}") from error
        return attempt.outcome(stop)


def _problem(child: Child) -> str:
    name, path = child.argv[0], child.environment.get("PATH", os.defpath)
    if find_program(name, path) is None:
        if os.path.isfile(name) and "/" in name:
            return f"it is not executable; `chmod +x {name}`, or name its interpreter in front of it"
        return f"there is no such program on PATH ({path})"
    return "" if child.cwd.is_dir() else f"there is no folder {child.cwd}"


def find_program(name: str, path: str) -> str | None:
    """The file that a name on a PATH stands for, or None; `shutil.which` would load all of its module."""
    for folder in (path or os.defpath).split(os.pathsep) if "/" not in name else [""]:
        file = os.path.join(folder, name)
        if os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    return None


class _Attempt:
    """One started program."""

    def __init__(self, child: Child, log: BinaryIO | None, start: Callable[[Program], int]) -> None:
        self._child = child
        self._own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._started = time.monotonic()
        pipe = GUARD.pipe()  # the guard is there before somebody is to be guarded
        argv = supervised(child.argv) if child.supervised else child.argv
        self._pid = start(
            Program(
                argv[0] if "/" in argv[0] else find_program(argv[0], child.environment.get("PATH", "")) or argv[0],
                argv,
                str(child.cwd),
                child.environment,
                pipe if child.supervised else None,
                None if log is None else log.fileno(),
            )
        )
        self._returncode = 0
        try:
            GUARD.enter(self._pid, enters_itself=child.supervised)
        except OSError:  # it must not run on, unguarded and unknown
            _signal_group(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            raise
        self._memory = MemoryWatch(self._pid, only_below=child.supervised)
        self._exit = _Exit(self._pid)
        self._ended_by: EndedBy = "itself"

    def outcome(self, stop: threading.Event) -> Outcome:
        """Watch the program until it ends."""
        try:
            why = self._watch(stop)
            if why:
                self._end(0 if self._ended_by == "memory" else self._grace_s(stop))  # no grace: it would eat on
        finally:
            usage = self._clear()
        code = self._returncode
        code = exit_code_of(128 - code if code < 0 else code, self._ended_by)
        return Outcome(
            exit_code=code,
            reason=why or _ending(code),
            wall_s=time.monotonic() - self._started,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_memory_bytes=self._peak_bytes(usage),
            temporary=code == EXIT_TEMPORARY,
            ended_by=self._ended_by,
        )

    def _watch(self, stop: threading.Event) -> str:
        """Wait until the program ends by itself (an empty text) or must be ended (why, and `_ended_by`)."""
        look_s, limit = _FIRST_LOOK_S, self._child.memory_bytes
        while True:
            left_s = look_s
            if self._child.timeout_s is not None:
                left_s = max(0.0, min(look_s, self._started + self._child.timeout_s - time.monotonic()))
            if self._exit.wait(left_s):
                return ""
            if stop.is_set():
                return self._must_end("stop", STOPPED)
            if self._child.timeout_s is not None and time.monotonic() >= self._started + self._child.timeout_s:
                return self._must_end("timeout", timeout_reason(self._child.timeout_s))
            used = self._memory.is_above(limit)
            if used is not None and limit is not None:
                self._ended_by = "memory"
                return f"it used {Size(used)} of memory; its limit is {Size(limit)} (resources.memory)"
            look_s = min(2 * look_s, _LAST_LOOK_S)

    def _must_end(self, by: EndedBy, why: str) -> str:
        """Why it must be ended; nothing when it has just ended by itself."""
        if self._exit.wait(0):
            return ""
        self._ended_by = by
        return why

    def _grace_s(self, stop: threading.Event) -> float:
        """How long it may take to end, in seconds: a job that is stopped has little time in all."""
        return min(self._child.grace_s, SERVICE_STOP_S) if stop.is_set() else self._child.grace_s

    def _end(self, grace_s: float) -> None:
        """Ask the whole group to end, wait as long as somebody of it is left and the grace lasts, and kill the rest."""
        deadline = time.monotonic() + grace_s
        _signal_group(self._pid, signal.SIGTERM)
        for stray in self._below():
            _signal(stray, signal.SIGTERM, unless_in=self._pid)
        while time.monotonic() < deadline:
            if self._exit.wait(_FIRST_LOOK_S * 5):
                if not group_members(self._pid):
                    break
                time.sleep(_FIRST_LOOK_S * 5)

    def _below(self) -> list[int]:
        """All that a supervised program has started, in whatever group; none of another."""
        return list(descendants(self._pid))[1:] if self._child.supervised else []

    def _kill_below(self) -> None:
        """Kill them until nobody is left; the supervisor, whom they would become nobody's without, ends by itself."""
        deadline = time.monotonic() + _DRAIN_S
        while not self._exit.wait(0) and (left := self._below()) and time.monotonic() < deadline:
            for pid in left:
                _signal(pid, signal.SIGKILL)
            self._exit.wait(_FIRST_LOOK_S)

    def _clear(self) -> resource.struct_rusage:
        """Kill who is left, then take the program's exit: until then its number is no one else's."""
        self._kill_below()
        _signal_group(self._pid, signal.SIGKILL)
        GUARD.leave(self._pid)
        _, status, usage = os.wait4(self._pid, 0)
        self._returncode = os.waitstatus_to_exitcode(status)
        if self._returncode == -signal.SIGKILL and self._child.mark:  # perhaps it was the supervisor
            for stray in processes_with(self._child.mark):
                _signal(stray, signal.SIGKILL)
        self._exit.close()
        deadline = time.monotonic() + _DRAIN_S
        while _group_exists(self._pid) and group_members(self._pid) and time.monotonic() < deadline:
            time.sleep(_FIRST_LOOK_S)
        return usage

    def _peak_bytes(self, usage: resource.struct_rusage) -> int:
        """The largest process.

        The kernel counts a child's peak from fork on, when its memory still was ours; so its figure tells only when it
        is above our own, and the samples tell the rest.
        """
        reported = usage.ru_maxrss * 1024 if usage.ru_maxrss > self._own_peak else 0
        return max(reported, self._memory.peak_bytes)


class _Exit:
    """Waits for a child's end without taking its exit."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.is_over = False
        self._poll: select.poll | None = None
        with contextlib.suppress(OSError):  # kernels before 5.3
            self._handle = os.pidfd_open(pid)
            self._poll = select.poll()
            self._poll.register(self._handle, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Whether the child has ended, now or within the given time."""
        if self.is_over:
            return True
        if self._poll is not None:
            self.is_over = bool(self._poll.poll(seconds * 1000))
        else:
            deadline = time.monotonic() + seconds
            while not self._has_ended() and time.monotonic() < deadline:
                time.sleep(0.002)
            self.is_over = self._has_ended()
        return self.is_over

    def close(self) -> None:
        """Give the handle back."""
        if self._poll is not None:
            os.close(self._handle)

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


@contextlib.contextmanager
def _log_file(log: BinaryIO | None) -> Iterator[BinaryIO | None]:
    """A file that a child can write to; a log in memory gets its text at the end."""
    try:
        if log is not None:
            log.flush()
            log.fileno()
    except OSError:
        import tempfile

        with tempfile.TemporaryFile() as file:
            try:
                yield file
            finally:
                file.seek(0)
                if log is not None:
                    log.writelines(file)
    else:
        yield log


def _signal(pid: int, number: signal.Signals, unless_in: int | None = None) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if unless_in is None or os.getpgid(pid) != unless_in:
            os.kill(pid, number)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ending(code: int) -> str:
    if code == 0:
        return ""
    if code > 128 and code - 128 in {number.value for number in signal.Signals}:
        name = signal.Signals(code - 128).name
        hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"it was ended by {name}{hint}"
    return f"it ended with exit code {code}"
