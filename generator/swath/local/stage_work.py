"""One stage on this machine, from the last look at its inputs to its entry in the journal.

    look again ──▶ unchanged: nothing to do
         │    └──▶ restore: outputs from the cache ────────────────┐
         └───────▶ run: outs away, attempts, hash, cache, run cache ┴─▶ journal

Runs in the scheduler's threads; one `StageWork` serves them all.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

from swath.dvc_border.cache import remove
from swath.errors import SwathError, UserError
from swath.execute.save import restore_outputs, save_outputs
from swath.execute.shell import run_shell
from swath.model.invocation import Outcome
from swath.model.lock_entry import identity, items_by_path
from swath.model.shell_words import exec_words
from swath.model.units import Duration
from swath.plan.decide import decide_stage, inputs_entry

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from swath.dvc_border.gitignore import LateIgnores
    from swath.dvc_border.rwlock import PathLocks
    from swath.dvc_border.workspace import Workspace
    from swath.local.journal import Journal
    from swath.model.lock_entry import LockEntry
    from swath.model.settings import StageOptions
    from swath.model.stage import Stage

Did = Literal["unchanged", "restored", "ran", "failed", "stopped"]
_BACK_OFF_S: Final = 1.0
_LONGEST_BACK_OFF_S: Final = 60.0
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.@-]+")


@dataclass(frozen=True, slots=True)
class StageReport:
    """What became of one stage.

    Attributes:
        message: why it failed; empty otherwise.
        log: its log file.
        wall_s: of all attempts together.
        attempts: how often it was started.
    """

    stage: Stage
    did: Did
    message: str = ""
    log: Path | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    attempts: int = 0
    passing: bool = False


class ServiceStarter(Protocol):
    """Starts the service of a plain `swath exec` command inside this process."""

    def __call__(
        self, stage: Stage, words: tuple[str, ...], gpus: tuple[int, ...], log: BinaryIO, stop: threading.Event
    ) -> Outcome:
        """Run it once."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the work needs from outside.

    Attributes:
        options: resources, timeout and retries of a stage.
        start_service: for plain `swath exec` commands.
        shortage: why this machine can never run a stage; empty: it can.
        started: told when an attempt begins.
    """

    workspace: Workspace
    journal: Journal
    locks: PathLocks
    ignores: LateIgnores
    logs: Path
    options: Callable[[Stage], StageOptions]
    start_service: ServiceStarter
    shortage: Callable[[Stage], str]
    started: Callable[[Stage, int], None]
    forced: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)


class StageWork:
    """Does stages, one per call of `do`. Thread-safe."""

    def __init__(self, tools: Tools, stop: threading.Event) -> None:
        self._tools = tools
        self._stop = stop
        self._journal_lock = threading.Lock()

    def do(self, stage: Stage, gpus: tuple[int, ...]) -> StageReport:
        """Bring one stage up to date; its upstream stages are."""
        try:
            return self._do(stage, gpus)
        except SwathError as error:
            passing = error.exit_code == os.EX_TEMPFAIL
            return StageReport(stage, "failed", str(error), self._log_path(stage), passing=passing)

    def _do(self, stage: Stage, gpus: tuple[int, ...]) -> StageReport:
        workspace = self._tools.workspace
        if stage.frozen:
            return self._keep_frozen(stage)
        decision = decide_stage(stage, workspace, forced=stage.name in self._tools.forced)
        if decision.kind == "unchanged":
            return StageReport(stage, "unchanged")
        missing = [
            reason.path
            for reason in decision.reasons
            if reason.kind == "missing" and self._is_input(stage, reason.path)
        ]
        if missing:
            what = ", ".join(missing)
            raise UserError(
                f"{what} does not exist", place=stage.place, hint="make it, fetch it (dvc pull), or correct the path"
            )
        inputs = inputs_entry(stage, workspace)
        if decision.kind == "restore" and decision.entry is not None:
            entry = restore_outputs(workspace, stage, dict(decision.entry), inputs)
            self._finish(stage, entry)
            return StageReport(stage, "restored")
        return self._run(stage, gpus, inputs)

    @staticmethod
    def _is_input(stage: Stage, path: str) -> bool:
        return path not in {out.path for out in stage.outs}

    def _keep_frozen(self, stage: Stage) -> StageReport:
        """A frozen stage does not run; when its outputs were edited their new state is recorded, as DVC does."""
        workspace = self._tools.workspace
        entry = workspace.locked(stage) or {}
        locked = items_by_path(entry, "outs")
        current = {out.text: workspace.out(stage, out, locked.get(out.text)) for out in stage.outs}
        gone = [out.path for out in stage.outs if current[out.text] is None]
        if gone:
            hint = "restore it (dvc checkout, dvc pull), or unfreeze the stage (dvc unfreeze)"
            raise UserError(
                f"the stage is frozen, and its output {gone[0]} does not exist", place=stage.place, hint=hint
            )
        same = all(identity(current[text]) == identity(locked.get(text)) for text in current)
        if same and entry.get("cmd") == stage.lock_cmd:
            return StageReport(stage, "unchanged")
        self._finish(stage, save_outputs(workspace, stage, inputs_entry(stage, workspace)))
        return StageReport(stage, "unchanged")

    def _run(self, stage: Stage, gpus: tuple[int, ...], inputs: LockEntry) -> StageReport:
        shortage = self._tools.shortage(stage)
        if shortage:
            hint = "run it on another machine, or ask for less: services.NAME.resources in swath.yaml"
            raise UserError(shortage, place=stage.place, hint=hint)
        workspace = self._tools.workspace
        read = [workspace.absolute(dep.path) for dep in stage.deps if "://" not in dep.path]
        write = [workspace.absolute(out.path) for out in stage.outs if "://" not in out.path]
        self._tools.locks.enter(read, write)
        try:
            report = self._attempts(stage, gpus)
            if report.did == "ran":
                self._tools.ignores.write(stage)
                self._finish(stage, save_outputs(workspace, stage, inputs))
            return report
        finally:
            self._tools.locks.leave(read, write)

    def _attempts(self, stage: Stage, gpus: tuple[int, ...]) -> StageReport:
        options = self._tools.options(stage)
        log_path = self._log_path(stage)
        log_path.parent.mkdir(parents=True, exist_ok=True)
        wall_s = cpu_s = 0.0
        peak, attempt = 0, 0
        with log_path.open("wb", buffering=0) as log:
            while True:
                attempt += 1
                self._tools.started(stage, attempt)
                outcome = self._attempt(stage, gpus, options, log)
                wall_s, cpu_s, peak = (
                    wall_s + outcome.wall_s,
                    cpu_s + outcome.cpu_s,
                    max(peak, outcome.peak_memory_bytes),
                )
                if outcome.exit_code == 0:
                    return StageReport(stage, "ran", "", log_path, wall_s, cpu_s, peak, attempt)
                if self._stop.is_set():
                    return StageReport(stage, "stopped", "stopped", log_path, wall_s, cpu_s, peak, attempt)
                if attempt > options.retries:
                    return StageReport(
                        stage, "failed", outcome.reason, log_path, wall_s, cpu_s, peak, attempt, outcome.temporary
                    )
                pause_s = min(_BACK_OFF_S * 2 ** (attempt - 1), _LONGEST_BACK_OFF_S)
                log.write(f"swath: {outcome.reason}; attempt {attempt + 1} in {pause_s:g} s\n".encode())
                self._stop.wait(pause_s)

    def _attempt(self, stage: Stage, gpus: tuple[int, ...], options: StageOptions, log: BinaryIO) -> Outcome:
        self._remove_outputs(stage)
        start, cpu_s, peak = time.monotonic(), 0.0, 0
        for command in stage.commands:
            log.write(f"$ {command}\n".encode())
            words = exec_words(command)
            if words is not None:
                outcome = self._tools.start_service(stage, words, gpus, log, self._stop)
            else:
                outcome = run_shell(
                    command,
                    folder=self._tools.workspace.absolute(stage.wdir),
                    environment=self._environment(stage, gpus),
                    log=log,
                    stop=self._stop,
                    timeout_s=None
                    if options.timeout_s is None
                    else max(0.001, start + options.timeout_s - time.monotonic()),
                )
            cpu_s, peak = cpu_s + outcome.cpu_s, max(peak, outcome.peak_memory_bytes)
            if outcome.exit_code:
                break
        wall_s, reason = time.monotonic() - start, outcome.reason
        if outcome.exit_code and options.timeout_s is not None and wall_s >= options.timeout_s:
            reason = f"it took longer than its timeout of {Duration(options.timeout_s)}"
        return Outcome(outcome.exit_code, reason, wall_s, cpu_s, peak, outcome.temporary)

    def _environment(self, stage: Stage, gpus: tuple[int, ...]) -> dict[str, str]:
        environment = dict(self._tools.environment)
        environment["DVC_ROOT"] = str(self._tools.workspace.repository.root)
        environment["DVC_STAGE"] = stage.name
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
        return environment

    def _remove_outputs(self, stage: Stage) -> None:
        """Stale outputs go away; a `persist` output stays, as a file of its own that the command may change."""
        workspace = self._tools.workspace
        for out in stage.outs:
            if "://" in out.path:
                continue
            path = workspace.absolute(out.path)
            workspace.hasher.forget(path)
            if out.persist:
                workspace.cache.unprotect(path)
            else:
                remove(path)

    def _finish(self, stage: Stage, entry: LockEntry) -> None:
        with self._journal_lock:
            self._tools.journal.append(stage, entry)
            self._tools.workspace.record(stage, entry)

    def _log_path(self, stage: Stage) -> Path:
        name = _NOT_IN_NAMES.sub("-", stage.name)[:200]
        if name != stage.name:  # `a ü` and `a ö` have a log each
            name += "-" + hashlib.sha256(stage.name.encode()).hexdigest()[:8]
        return self._tools.logs / f"{name}.log"
