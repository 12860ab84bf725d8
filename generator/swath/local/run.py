"""Run workflows on this machine.

    read ─▶ select ─▶ decide ─▶ schedule ─▶ write locks ─┐
      ▲                                                  │ a stage wrote a `vars` file: which stages exist may be new
      └──────────────────────────────────────────────────┘

One run per repository at a time: `run.lock` says who. Entries go to the journal at once, to dvc.lock every minute and
at the end, however it comes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from swath.dvc_border.autostage import stage_written
from swath.dvc_border.data_files import bring_up_to_date
from swath.dvc_border.gitignore import LateIgnores, folders_inside_deps, outputs_to_ignore, write_ignore_lines
from swath.dvc_border.lock import lock_times_ns, read_entries, repository_lock, update_locks
from swath.dvc_border.refused_settings import refuse_questions
from swath.dvc_border.rwlock import PathLocks
from swath.errors import (
    InterruptedRunError,
    PassingFaultError,
    StageFailedError,
    SwathError,
    UserError,
    fault_of_system,
)
from swath.load.settings import load_settings
from swath.load.targets import Selection, selected_stages
from swath.local.durations import Durations
from swath.local.journal import Journal
from swath.local.machine import this_machine
from swath.local.project import Project, read_project, stage_order
from swath.local.scheduler import Hooks, Schedule, run_tasks
from swath.local.services import Services
from swath.local.stage_work import StageReport, StageWork, Tools
from swath.model.invocation import Origins
from swath.model.units import counted
from swath.plan.decide import decide

if TYPE_CHECKING:
    from swath.dvc_border.repository import Repository
    from swath.dvc_border.workspace import Workspace
    from swath.model.graph import StageGraph
    from swath.model.invocation import RuntimeChoice
    from swath.model.plan import Decision
    from swath.model.stage import Stage

_LOCK_EVERY_S: Final = 60.0
_MOST_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user asked for.

    Attributes:
        selection: the stages.
        jobs: most stages at a time; None: one for each core.
        force: run even what is unchanged.
        keep_going: after a failure, go on with what does not depend on it.
    """

    selection: Selection = Selection()
    jobs: int | None = None
    force: bool = False
    keep_going: bool = False
    runtime: RuntimeChoice = "auto"


class Watcher(Protocol):
    """Who follows a run: a terminal, or nobody."""

    def planned(self, decisions: Mapping[str, Decision], estimates_s: Mapping[str, float], jobs: int) -> None:
        """A round begins: what was decided, and how long stages took before."""

    def started(self, name: str, attempt: int) -> None:
        """An attempt begins; called from a thread."""

    def finished(self, report: StageReport) -> None:
        """A stage is done; called from a thread."""

    def tick(self) -> None:
        """About ten times a second."""


@dataclass(slots=True)
class RunSummary:
    """What a run did.

    Attributes:
        reports: by stage name, in the order of their ends; unchanged stages that were no task are counted only.
        unchanged: how many stages were up to date from the start.
        skipped: stages behind a failed one, with that one.
        not_started: stages left out when the run was ended.
    """

    reports: dict[str, StageReport] = field(default_factory=dict)
    unchanged: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    not_started: tuple[str, ...] = ()
    wall_s: float = 0.0

    def named(self, *did: str) -> list[str]:
        """Stages that did one of these."""
        return [name for name, report in self.reports.items() if report.did in did]


def run_workflows(
    repository: Repository, options: RunOptions, watcher: Watcher, environ: Mapping[str, str], stop: threading.Event
) -> RunSummary:
    """Bring stages up to date.

    Args:
        environ: of this process.
        stop: set it to end the run; what runs is ended, what is finished stays.

    Raises:
        UserError: files are wrong; nothing was run. Or a lock cannot be written: the run was ended, what is finished is
            in the journal.
        PassingFaultError: another run is at work, or something outside failed.
    """
    start = time.monotonic()
    summary = RunSummary()
    refuse_questions(repository)
    with run_lock(repository):
        settle_journal(repository, Journal(repository.tmp_dir))
        run = _Run(repository, options, watcher, environ, stop)
        for _ in range(_MOST_ROUNDS):
            if not run.round(summary) or stop.is_set():
                break
        if not stop.is_set() and not summary.named("failed", "stopped"):
            stage_written(repository)
    summary.wall_s = time.monotonic() - start
    return summary


def raise_for(summary: RunSummary, *, interrupted: bool) -> None:
    """Turn what went wrong into the error that ends the command.

    Raises:
        InterruptedRunError: the run was ended by the user.
        PassingFaultError: all failures may pass by themselves.
        StageFailedError: stages failed.
    """
    failed = summary.named("failed")
    if interrupted:
        raise InterruptedRunError("interrupted; finished stages are kept, the next run goes on from here")
    if not failed:
        return
    message = f"{counted(len(failed), 'stage')} failed: {', '.join(failed[:10])}{' …' if len(failed) > 10 else ''}"
    if all(summary.reports[name].passing for name in failed):
        raise PassingFaultError(f"{message}; the cause may pass: run again")
    raise StageFailedError(message, failed)


class _Run:
    """The state that lasts over the rounds of one run."""

    def __init__(
        self,
        repository: Repository,
        options: RunOptions,
        watcher: Watcher,
        environ: Mapping[str, str],
        stop: threading.Event,
    ) -> None:
        self._repository, self._options, self._watcher, self._stop = repository, options, watcher, stop
        self._environ = environ
        self._services = Services(repository.root, load_settings(repository.root), options.runtime, environ)
        self._machine = this_machine(options.jobs)
        self._durations = Durations(repository.tmp_dir)
        self._journal = Journal(repository.tmp_dir)
        self._before: frozenset[str] | None = None  # stages that were in a lock when the run began
        self._done: set[str] = set()

    def round(self, summary: RunSummary) -> bool:
        """Do what can be known now; whether another round may find more."""
        project = read_project(self._repository, tolerant=not self._options.selection.needs_graph)
        if self._before is None:
            self._before = frozenset(project.entries)
        names = selected_stages(project.loaded, self._options.selection)
        generators = [name for name in project.loaded.generators if name in names and name not in self._done]
        workspace = _workspace_with_saved_data(project, names, self._stop)
        first = self._first(project, names, generators, workspace) if generators else names
        graph = project.graph.only(first)
        forced = frozenset(name for name in first if self._options.force and name not in self._done)
        decisions = decide(graph, workspace, forced=forced)
        workspace.drop_assumptions()
        tasks = [name for name, decision in decisions.items() if self._is_task(graph.stages[name], decision)]
        summary.unchanged = len(names) - len(set(names) & {*summary.reports, *tasks})
        self._watcher.planned(decisions, self._durations.known, self._machine.jobs)
        if tasks:
            self._services.origins = Origins(project.graph.output_paths, self._repository.cache_dir)
            stages = [graph.stages[name] for name in tasks]
            work = self._work(workspace, forced, _write_ignores(self._repository, project.graph, stages))
            self._schedule(project, graph.only(tasks), work, summary)
        workspace.hasher.flush()
        if summary.named("failed", "stopped"):
            return False
        return first is not names or (bool(generators) and self._has_changed(project))

    def _first(self, project: Project, names: list[str], generators: list[str], workspace: Workspace) -> list[str]:
        """Only the generators and what they need, when one of them will do something; else all."""
        before = project.graph.before(generators) & set(names)
        graph = project.graph.only(before)
        forced = frozenset(before - self._done) if self._options.force else frozenset[str]()
        decisions = decide(graph, workspace, forced=forced)
        workspace.drop_assumptions()
        moving = any(self._is_task(graph.stages[name], decision) for name, decision in decisions.items())
        if not moving:
            self._done.update(generators)
            return names
        return [name for name in names if name in before]

    def _has_changed(self, project: Project) -> bool:
        again = read_project(self._repository, tolerant=not self._options.selection.needs_graph)
        return dict(again.graph.stages) != dict(project.graph.stages)

    def _is_task(self, stage: Stage, decision: Decision) -> bool:
        if stage.name in self._done:
            return False
        return decision.kind != "unchanged" or stage.frozen

    def _work(self, workspace: Workspace, forced: frozenset[str], ignores: LateIgnores) -> StageWork:
        tools = Tools(
            workspace=workspace,
            journal=self._journal,
            locks=PathLocks(self._repository),
            ignores=ignores,
            logs=self._repository.tmp_dir / "logs",
            options=self._services.options,
            start_service=self._services.start,
            shortage=self._shortage,
            started=self._started,
            forced=forced,
            environment=self._environ,
        )
        return StageWork(tools, self._stop)

    def _started(self, stage: Stage, attempt: int) -> None:
        with contextlib.suppress(OSError):
            self._watcher.started(stage.name, attempt)

    def _schedule(self, project: Project, graph: StageGraph, work: StageWork, summary: RunSummary) -> None:
        demands = {n: self._machine.most_of(self._services.demand(stage)) for n, stage in graph.stages.items()}
        last_write = time.monotonic()

        def do(name: str, gpus: tuple[str, ...]) -> str:
            report = work.do(graph.stages[name], gpus)
            if report.did in {"ran", "restored", "unchanged"}:
                self._done.add(name)
            summary.reports[name] = report
            self._durations.note(report)
            with contextlib.suppress(OSError):  # whoever followed the run has gone: that ends no stage
                self._watcher.finished(report)
            return "failed" if report.did in {"failed", "stopped"} else "done"

        def tick() -> None:
            nonlocal last_write
            with contextlib.suppress(OSError):
                self._watcher.tick()
            if time.monotonic() - last_write > _LOCK_EVERY_S:
                last_write = time.monotonic()
                # The journal has it all, so what may pass, a lock that is held or a full disk, is tried again in the
                # next minute; all else ends the run: it would fail at the end as well.
                with contextlib.suppress(PassingFaultError):
                    self._settle(project)

        hooks = Hooks(do, demands.__getitem__, tick)  # type: ignore[arg-type]  # the results are the literals
        try:
            schedule = run_tasks(graph.upstream, self._machine, hooks, self._stop, keep_going=self._options.keep_going)
            self._take(schedule, summary)
        except BaseException:
            self._durations.save()
            with contextlib.suppress(SwathError, OSError):  # the first fault is the one that is told
                self._settle(project)
            raise
        self._durations.save()
        self._settle(project)

    def _settle(self, project: Project) -> None:
        """Write what is finished into the locks.

        Raises:
            UserError: a lock is broken, or cannot be written.
            PassingFaultError: DVC's lock is held for long, or no space is left.
        """
        try:
            settle_journal(self._repository, self._journal, project, self._before)
        except OSError as error:
            raise fault_of_system(error) or error from error
        except UserError as error:
            hint = "; ".join(filter(None, (error.hint, "finished stages are kept in the journal for the next run")))
            raise UserError(error.message, place=error.place, hint=hint) from error

    def _shortage(self, stage: Stage) -> str:
        return self._machine.shortage(self._services.demand(stage))

    @staticmethod
    def _take(schedule: Schedule, summary: RunSummary) -> None:
        summary.skipped.update(schedule.skipped)
        summary.not_started = tuple(schedule.not_started)


def _workspace_with_saved_data(project: Project, names: list[str], stop: threading.Event) -> Workspace:
    """The facts on disk, after `.dvc`-tracked data that was edited is saved again."""
    workspace = project.workspace(names)
    if project.data and bring_up_to_date(workspace, project.data, stop):
        return project.workspace(names)
    return workspace


def _write_ignores(repository: Repository, graph: StageGraph, stages: Sequence[Stage]) -> LateIgnores:
    """Write the `.gitignore` lines of all that will be made; those whose folder is not there yet come later."""
    paths = outputs_to_ignore(stages)
    write_ignore_lines(repository, paths, folders=folders_inside_deps(graph, paths))
    return LateIgnores(repository, [p for p in paths if not (repository.root / os.path.dirname(p)).is_dir()])


def settle_journal(
    repository: Repository, journal: Journal, project: Project | None = None, before: Container[str] | None = None
) -> None:
    """Write what the journal has into the locks.

    Args:
        project: of the run that wrote the journal; None: an earlier one did, and others may have written locks since.
        before: stages that were in a lock when that run began; those that came since stand in the order of dvc.yaml,
            however often the run writes. None: all that are there.

    Raises:
        PassingFaultError: DVC's lock is held for long, or no space is left; the journal keeps everything.
    """
    entries = journal.read()
    if not entries:
        return
    if project:
        update_locks(repository, entries, stage_order(project.loaded), _since(project, before))
    else:
        locks = read_entries(repository, entries)
        update_locks(repository, journal.pending(locks, lock_times_ns(repository, locks)), {})
    with repository_lock(repository):
        journal.drop(entries)


def _since(project: Project, before: Container[str] | None) -> dict[str, frozenset[str]]:
    """For each dvc.yaml the keys of its stages that were in no lock when the run began."""
    workflows = project.loaded.workflows.items() if before is not None else ()
    return {
        file: frozenset(s.key for s in workflow.stages if s.name not in (before or ())) for file, workflow in workflows
    }


@contextlib.contextmanager
def run_lock(repository: Repository) -> Iterator[None]:
    """Be the only run of this repository.

    Raises:
        PassingFaultError: another one is at work; says which.
    """
    repository.tmp_dir.mkdir(parents=True, exist_ok=True)
    path = repository.tmp_dir / "run.lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read().strip() or "unknown"
            raise PassingFaultError(
                f"another `swath run` is at work in this repository (process {who}): wait for it"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}, since {time.strftime('%H:%M:%S')}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
