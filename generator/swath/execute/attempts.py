"""Run a stage's commands to a good end: attempts, pauses between them, one timeout over all commands of an attempt.

The timeout is for what the commands themselves take: making an environment or an image does not count.

    attempt ─▶ stale outputs away ─▶ commands one after the other ─▶ good ─▶ Ending
       ▲                                                        └──▶ bad: pause ─┐
       └─────────────────────────────────────────────────────────────────────────┘

Called by the local runner and by CI jobs; what differs between them comes in as functions. Thread-safe.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from swath.errors import PassingFaultError
from swath.model.invocation import EXIT_TEMPORARY, EXIT_TERMINATED, STOPPED, Outcome, timeout_reason
from swath.model.shell_words import exec_words

if TYPE_CHECKING:
    import threading
    from typing import BinaryIO

    from swath.model.settings import StageOptions
    from swath.model.stage import Stage

_BACK_OFF_S: Final = 1.0
_LONGEST_BACK_OFF_S: Final = 60.0
_LONG_S: Final = 60.0  # a command that took so long is worth a pause
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.@-]+")


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """A plain `swath exec` command.

    Attributes:
        words: the service's name and its arguments.
        gpus: names of the GPUs it may see, as CUDA_VISIBLE_DEVICES takes them.
        timeout_s: what is left of the attempt's time; None: no limit.
    """

    stage: Stage
    words: tuple[str, ...]
    gpus: tuple[str, ...]
    timeout_s: float | None


class ServiceStarter(Protocol):
    """Starts the service of a plain `swath exec` command inside this process."""

    def __call__(self, call: ServiceCall, log: BinaryIO, stop: threading.Event) -> Outcome:
        """Run it once."""


@dataclass(frozen=True, slots=True)
class ShellCall:
    """A command for a shell.

    Attributes:
        gpus: names of the GPUs it may see, as CUDA_VISIBLE_DEVICES takes them.
        timeout_s: what is left of the attempt's time; None: no limit.
    """

    stage: Stage
    command: str
    gpus: tuple[str, ...]
    timeout_s: float | None


class ShellStarter(Protocol):
    """Runs a command in a shell."""

    def __call__(self, call: ShellCall, log: BinaryIO, stop: threading.Event) -> Outcome:
        """Run it once."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stage's attempts ended.

    Attributes:
        outcome: of the last one; times are of all together, the peak is the highest.
        attempts: how many there were.
    """

    outcome: Outcome
    attempts: int


@dataclass(frozen=True, slots=True)
class Attempts:
    """What attempts need from outside.

    Attributes:
        prepare: told before each attempt: stale outputs go away.
        started: told of each attempt's number.
        signal_gap_s: how long after the command's end a stop may be told that has ended it; 0: never. Then neither a
            failure nor, of a long command, a success is one.
    """

    start_service: ServiceStarter
    start_shell: ShellStarter
    prepare: Callable[[Stage], None]
    started: Callable[[Stage, int], None]
    signal_gap_s: float = 0.0

    def run(
        self, stage: Stage, gpus: tuple[str, ...], options: StageOptions, log: BinaryIO, stop: threading.Event
    ) -> Ending:
        """Run a stage until it ends well, has used up its attempts, or is stopped.

        A fault of an engine, a registry or an index that may pass counts as a failed attempt.
        """
        wall_s = cpu_s = 0.0
        peak, attempt = 0, 0
        while True:
            attempt += 1
            self.started(stage, attempt)
            last = self._attempt(stage, gpus, options, log, stop)
            wall_s, cpu_s, peak = wall_s + last.wall_s, cpu_s + last.cpu_s, max(peak, last.peak_memory_bytes)
            last = self._unless_stopped(last, stop)
            if last.exit_code and not stop.is_set() and attempt <= options.retries:
                pause_s = min(_BACK_OFF_S * 2 ** (attempt - 1), _LONGEST_BACK_OFF_S)
                log.write(f"swath: {last.reason}; attempt {attempt + 1} in {pause_s:g} s\n".encode())
                stop.wait(pause_s)
                if not stop.is_set():
                    continue
            return Ending(replace(last, wall_s=wall_s, cpu_s=cpu_s, peak_memory_bytes=peak), attempt)

    def _unless_stopped(self, last: Outcome, stop: threading.Event) -> Outcome:
        """The outcome, when it is sure that no signal has brought it about."""
        if not self.signal_gap_s or not (last.exit_code or last.wall_s >= _LONG_S):
            return last
        if stop.wait(self.signal_gap_s) and not last.exit_code:
            return replace(last, exit_code=EXIT_TERMINATED, reason=STOPPED, ended_by="stop")
        return last

    def _attempt(
        self, stage: Stage, gpus: tuple[str, ...], options: StageOptions, log: BinaryIO, stop: threading.Event
    ) -> Outcome:
        self.prepare(stage)
        start, used_s, cpu_s, peak = time.monotonic(), 0.0, 0.0, 0
        outcome = Outcome(0)
        for command in stage.commands:
            left_s = None if options.timeout_s is None else options.timeout_s - used_s
            outcome = self._command(ShellCall(stage, command, gpus, left_s), log, stop)
            used_s, cpu_s = used_s + outcome.wall_s, cpu_s + outcome.cpu_s
            peak = max(peak, outcome.peak_memory_bytes)
            if outcome.exit_code:
                break
        reason = outcome.reason
        if outcome.ended_by == "timeout" and options.timeout_s is not None:
            reason = timeout_reason(options.timeout_s)  # the command knows what was left of it
        wall_s = time.monotonic() - start
        return replace(outcome, reason=reason, wall_s=wall_s, cpu_s=cpu_s, peak_memory_bytes=peak)

    def _command(self, call: ShellCall, log: BinaryIO, stop: threading.Event) -> Outcome:
        """Run one command, unless the attempt's time is up or it is stopped."""
        if stop.is_set():
            return Outcome(EXIT_TERMINATED, STOPPED, ended_by="stop")
        if call.timeout_s is not None and call.timeout_s <= 0:
            return Outcome(EXIT_TERMINATED, ended_by="timeout")
        log.write(f"$ {call.command}\n".encode())
        words = exec_words(call.command)
        try:
            if words is None:
                return self.start_shell(call, log, stop)
            return self.start_service(ServiceCall(call.stage, words, call.gpus, call.timeout_s), log, stop)
        except PassingFaultError as error:
            return Outcome(EXIT_TEMPORARY, str(error), temporary=True)


def log_name(stage: Stage) -> str:
    """The name of a stage's log file."""
    name = _NOT_IN_NAMES.sub("-", stage.name)[:200]
    if name != stage.name:  # `a ü` and `a ö` have a log each
        name += "-" + hashlib.sha256(stage.name.encode()).hexdigest()[:8]
    return f"{name}.log"
