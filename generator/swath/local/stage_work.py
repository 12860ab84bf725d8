"""One stage on this machine, from the last look at its inputs to its entry in the journal.

    look again ──▶ unchanged: nothing to do
         │    └──▶ restore: outputs from the cache ────────────────┐
         └───────▶ run: outs away, attempts, hash, cache, run cache ┴─▶ journal

Runs in the scheduler's threads; one `StageWork` serves them all.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from swath.errors import InterruptedRunError, PassingFaultError, SwathError, UserError
from swath.execute.attempts import Attempts, log_name
from swath.execute.save import remove_outputs, restore_outputs, save_outputs
from swath.execute.shell import run_shell
from swath.local.machine import free_disk
from swath.model.lock_entry import identity, items_by_path
from swath.model.units import Size
from swath.plan.decide import check_inputs, decide_stage, inputs_entry

if TYPE_CHECKING:
    import threading
    from pathlib import Path
    from typing import BinaryIO

    from swath.dvc_border.gitignore import LateIgnores
    from swath.dvc_border.rwlock import PathLocks
    from swath.dvc_border.workspace import Workspace
    from swath.execute.attempts import ServiceStarter, ShellCall
    from swath.local.journal import Journal
    from swath.model.invocation import Outcome
    from swath.model.lock_entry import LockEntry
    from swath.model.settings import StageOptions
    from swath.model.stage import Stage

Did = Literal["unchanged", "restored", "ran", "failed", "stopped"]


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


@dataclass(frozen=True, slots=True)
class Tools:
    """What the work needs from outside.

    Attributes:
        options: resources, timeout and retries of a stage.
        start_service: for plain `swath exec` commands.
        shortage: why this machine can never run a stage; empty: it can.
        started: told when an attempt begins.
        environment: the variables of stages whose commands run in a shell.
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
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class StageWork:
    """Does stages, one per call of `do`. Thread-safe."""

    def __init__(self, tools: Tools, stop: threading.Event) -> None:
        self._tools = tools
        self._stop = stop
        tools.logs.mkdir(parents=True, exist_ok=True)

    def do(self, stage: Stage, gpus: tuple[str, ...]) -> StageReport:
        """Bring one stage up to date; its upstream stages are."""
        try:
            return self._do(stage, gpus)
        except InterruptedRunError:
            return StageReport(stage, "stopped", "stopped", self._log_path(stage))
        except SwathError as error:
            passing = error.exit_code == os.EX_TEMPFAIL
            return StageReport(stage, "failed", str(error), self._log_path(stage), passing=passing)
        except OSError as error:  # of our own files: log, journal, DVC's record of paths
            place = f"{error.filename}: " if error.filename else ""
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            return StageReport(stage, "failed", f"{place}{error.strerror}", self._log_path(stage), passing=full)

    def _do(self, stage: Stage, gpus: tuple[str, ...]) -> StageReport:
        workspace = self._tools.workspace
        if stage.frozen:
            return self._keep_frozen(stage)
        decision = decide_stage(stage, workspace, forced=stage.name in self._tools.forced)
        if decision.kind == "unchanged":
            return StageReport(stage, "unchanged")
        check_inputs(stage, decision, "make it, fetch it (dvc pull), or correct the path")
        inputs = inputs_entry(stage, workspace)
        if decision.kind == "restore" and decision.entry is not None:
            entry = restore_outputs(workspace, stage, dict(decision.entry), inputs, self._stop)
            self._finish(stage, entry)
            return StageReport(stage, "restored")
        return self._run(stage, gpus, inputs)

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

    def _run(self, stage: Stage, gpus: tuple[str, ...], inputs: LockEntry) -> StageReport:
        shortage = self._tools.shortage(stage)
        if shortage:
            hint = "run it on another machine, or ask for less: services.NAME.resources in swath.yaml"
            raise UserError(shortage, place=stage.place, hint=hint)
        self._check_space(stage)
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

    def _check_space(self, stage: Stage) -> None:
        needed, folder = self._tools.options(stage).resources.disk, self._tools.workspace.repository.root
        free = free_disk(folder) if needed else Size(0)
        if needed and free < needed:
            raise PassingFaultError(
                f"it asks for {needed} of disk space, and {free} are free on the disk of {folder}: "
                "free some, or ask for less (services.NAME.resources in swath.yaml)"
            )

    def _attempts(self, stage: Stage, gpus: tuple[str, ...]) -> StageReport:
        tools = self._tools
        log_path = self._log_path(stage)
        attempts = Attempts(
            start_service=tools.start_service,
            start_shell=self._start_shell,
            prepare=lambda stage: remove_outputs(tools.workspace, stage, self._stop),
            started=tools.started,
        )
        with open(log_path, "wb", buffering=0) as log:
            ending = attempts.run(stage, gpus, tools.options(stage), log, self._stop)
        last = ending.outcome
        figures = (log_path, last.wall_s, last.cpu_s, last.peak_memory_bytes, ending.attempts)
        if last.exit_code == 0:
            return StageReport(stage, "ran", "", *figures)
        if self._stop.is_set():
            return StageReport(stage, "stopped", "stopped", *figures)
        return StageReport(stage, "failed", last.reason, *figures, last.temporary)

    def _start_shell(self, call: ShellCall, log: BinaryIO, stop: threading.Event) -> Outcome:
        return run_shell(
            call.command,
            folder=self._tools.workspace.absolute(call.stage.wdir),
            environment=self._environment(call.stage, call.gpus),
            inherited=self._tools.environment,
            log=log,
            stop=stop,
            timeout_s=call.timeout_s,
        )

    def _environment(self, stage: Stage, gpus: tuple[str, ...]) -> dict[str, str]:
        environment = {"DVC_ROOT": str(self._tools.workspace.repository.root), "DVC_STAGE": stage.name}
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        return environment

    def _finish(self, stage: Stage, entry: LockEntry) -> None:
        self._tools.journal.append(stage, entry)
        self._tools.workspace.record(stage, entry)

    def _log_path(self, stage: Stage) -> Path:
        return self._tools.logs / log_name(stage)
