"""Run a stage's commands to a good end: attempts, pauses between them, one timeout over all commands of an attempt.

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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from swath.model.invocation import Outcome
from swath.model.shell_words import exec_words
from swath.model.units import Duration

if TYPE_CHECKING:
    import threading
    from typing import BinaryIO

    from swath.model.settings import StageOptions
    from swath.model.stage import Stage

_BACK_OFF_S: Final = 1.0
_LONGEST_BACK_OFF_S: Final = 60.0
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.@-]+")


class ServiceStarter(Protocol):
    """Starts the service of a plain `swath exec` command inside this process."""

    def __call__(
        self, stage: Stage, words: tuple[str, ...], gpus: tuple[int, ...], log: BinaryIO, stop: threading.Event
    ) -> Outcome:
        """Run it once."""


@dataclass(frozen=True, slots=True)
class ShellCall:
    """A command that is no plain `swath exec`.

    Attributes:
        gpus: numbers of the GPUs it may see.
        timeout_s: what is left of the attempt's time; None: no limit.
    """

    stage: Stage
    command: str
    gpus: tuple[int, ...]
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
    """

    start_service: ServiceStarter
    start_shell: ShellStarter
    prepare: Callable[[Stage], None]
    started: Callable[[Stage, int], None]

    def run(
        self, stage: Stage, gpus: tuple[int, ...], options: StageOptions, log: BinaryIO, stop: threading.Event
    ) -> Ending:
        """Run a stage until it ends well, has used up its attempts, or is stopped."""
        wall_s = cpu_s = 0.0
        peak, attempt = 0, 0
        while True:
            attempt += 1
            self.started(stage, attempt)
            last = self._attempt(stage, gpus, options, log, stop)
            wall_s, cpu_s, peak = wall_s + last.wall_s, cpu_s + last.cpu_s, max(peak, last.peak_memory_bytes)
            if last.exit_code == 0 or stop.is_set() or attempt > options.retries:
                return Ending(Outcome(last.exit_code, last.reason, wall_s, cpu_s, peak, last.temporary), attempt)
            pause_s = min(_BACK_OFF_S * 2 ** (attempt - 1), _LONGEST_BACK_OFF_S)
            log.write(f"swath: {last.reason}; attempt {attempt + 1} in {pause_s:g} s\n".encode())
            stop.wait(pause_s)

    def _attempt(
        self, stage: Stage, gpus: tuple[int, ...], options: StageOptions, log: BinaryIO, stop: threading.Event
    ) -> Outcome:
        self.prepare(stage)
        start, cpu_s, peak = time.monotonic(), 0.0, 0
        outcome = Outcome(0)
        for command in stage.commands:
            log.write(f"$ {command}\n".encode())
            words = exec_words(command)
            if words is not None:
                outcome = self.start_service(stage, words, gpus, log, stop)
            else:
                left_s = None if options.timeout_s is None else start + options.timeout_s - time.monotonic()
                call = ShellCall(stage, command, gpus, None if left_s is None else max(0.001, left_s))
                outcome = self.start_shell(call, log, stop)
            cpu_s, peak = cpu_s + outcome.cpu_s, max(peak, outcome.peak_memory_bytes)
            if outcome.exit_code:
                break
        wall_s, reason = time.monotonic() - start, outcome.reason
        if outcome.exit_code and options.timeout_s is not None and wall_s >= options.timeout_s:
            reason = f"it took longer than its timeout of {Duration(options.timeout_s)}"
        return Outcome(outcome.exit_code, reason, wall_s, cpu_s, peak, outcome.temporary)


def log_name(stage: Stage) -> str:
    """The name of a stage's log file."""
    name = _NOT_IN_NAMES.sub("-", stage.name)[:200]
    if name != stage.name:  # `a ü` and `a ö` have a log each
        name += "-" + hashlib.sha256(stage.name.encode()).hexdigest()[:8]
    return f"{name}.log"
