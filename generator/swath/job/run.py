"""`swath job run`: one job of a compiled pipeline, on the runner.

    checkout + fragments of the levels before ─▶ the plan again, same digest ─▶ fragments of the jobs before
        ─▶ for each stage: look again, pull, run, save, push, own fragment ─▶ .swath/ (artifacts)

The remote alone carries results between jobs; artifacts are a copy for people. A job that is run again goes on behind
its last finished stage.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.dvc_border.data_files import DataOutput
from swath.dvc_border.gitignore import LateIgnores, folders_inside_deps, outputs_to_ignore, write_ignore_lines
from swath.dvc_border.imports import import_stores
from swath.dvc_border.lock import entries_of_stages, read_entries
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.revision import commit_id
from swath.dvc_border.workspace import Workspace
from swath.errors import InterruptedRunError, PassingFaultError, StageFailedError, SwathError, UserError
from swath.execute.choose import RUNTIME_VARIABLE, runtime_choice
from swath.execute.environment import sounds_secret
from swath.execute.services import Services
from swath.job.artifacts import artifacts
from swath.job.console import Console
from swath.job.earlier_levels import files_and_entries
from swath.job.facts import JobFacts, Store
from swath.job.fragments import open_own, put_files, upstream_fragments
from swath.job.merge_train import in_merge_train
from swath.job.origin import read_origin
from swath.job.planned import Workloads, planned_jobs
from swath.job.server_version import at_server
from swath.job.space import drop_unused, unused_age
from swath.job.stage_work import StageWork, Tools
from swath.job.store import patience_of, store_of
from swath.load.services import load_services
from swath.load.settings import load_settings
from swath.load.workflows import load_workflows
from swath.model.fragment import StageRecord
from swath.model.invocation import Origins
from swath.model.units import Size, counted
from swath.record.merge import merge_fragments
from swath.schema.decisions_text import decode

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO

    from swath.dvc_border.repository import Repository
    from swath.job.fragments import OwnFragment
    from swath.job.origin import Origin
    from swath.job.stage_work import Done
    from swath.load.workflows import Loaded
    from swath.model.graph import StageGraph
    from swath.model.invocation import RuntimeChoice
    from swath.model.jobs import Job, PipelinePlan
    from swath.model.lock_entry import LockEntry
    from swath.model.plan import DecisionKind
    from swath.model.settings import Settings
    from swath.model.stage import Stage

DECISIONS_VARIABLE: Final = "SWATH_DECISIONS"
_PATIENCE: Final = Patience(pauses_s=(1.0, 4.0, 15.0, 40.0, 120.0))  # longer than elsewhere: hours of work wait
_LINKS: Final = ("reflink", "hardlink", "symlink", "copy")


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What the job's script says.

    Attributes:
        name: of the job.
        plan_digest: that the pipeline was compiled with.
        environ: of this process.
        set_umask: sets the process's umask, which only the command line may do; told once, before any stage.
    """

    name: str
    plan_digest: str
    environ: Mapping[str, str]
    set_umask: Callable[[int], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class _Opened:
    """The checkout, read as a whole."""

    settings: Settings
    loaded: Loaded
    entries: dict[str, LockEntry]
    data: tuple[DataOutput, ...]
    decisions: Mapping[str, DecisionKind]
    plan: PipelinePlan
    job: Job

    @property
    def graph(self) -> StageGraph:
        return self.loaded.graph


def run_job(repository: Repository, options: JobOptions, stop: threading.Event, stream: BinaryIO | None = None) -> None:
    """Run one job's stages.

    Args:
        stop: set it to end early: what runs is ended, what is finished is kept.
        stream: the job's log; None: stdout.

    Raises:
        UserError: the plan is another, a fragment is missing, or a stage's files are wrong.
        StageFailedError: a stage failed.
        PassingFaultError: a remote does not answer, or no space is left.
        InterruptedRunError: `stop` was set.
    """
    console = Console(stream or sys.stdout.buffer, sections=bool(options.environ.get("CI")))
    origin = read_origin(options.environ)
    patience = patience_of(options.environ, _PATIENCE)
    store, why = store_of(repository, options.environ, patience)
    if store is None:
        hint = "jobs pass their results on through a DVC remote: dvc remote add -d NAME URL"
        raise UserError(why.partition(":")[0], hint=hint)
    opened = _open(repository, options, origin, store)
    shared = _use_shared_cache(repository, opened.job.runner.cache, options)
    store = RemoteStore(repository, patience=patience) if shared else store
    own = open_own(store, origin.pipeline, opened.plan, opened.job)
    entries = _entries_before(repository, opened, own, store, origin)
    if own.earlier:
        verb = "is" if len(own.fragment.stages) == 1 else "are"
        console.say(f"attempt {own.fragment.attempt}: {counted(len(own.fragment.stages), 'stage')} {verb} done already")
    with artifacts(repository, own, _secrets(repository, options.environ)) as folder:
        tools = _tools(repository, opened, entries, _Surroundings(store, console, folder, shared, options.environ))
        _drop_unused(tools)
        work = StageWork(tools, stop)
        todo = [name for name in opened.job.stages if name not in own.fragment.stages]
        for name in todo:
            if stop.is_set():
                raise InterruptedRunError("the job was stopped; what it has finished is kept")
            _stage(work, opened.graph.stages[name], own, console, folder)
        tools.disk.hasher.flush()


def _secrets(repository: Repository, environ: Mapping[str, str]) -> list[str]:
    """The values of what services name as secrets, and of variables whose names sound like one."""
    named = {name for service in load_services(repository.root).values() for name in service.secrets}
    return [value for name, value in environ.items() if name in named or sounds_secret(name)]


def _open(repository: Repository, options: JobOptions, origin: Origin, store: RemoteStore) -> _Opened:
    """Read the checkout and work the plan out again.

    Raises:
        UserError: the plan is another, or has no such job.
    """
    environ = options.environ
    commit = origin.commit or commit_id(repository)
    later: Mapping[str, LockEntry] = {}
    if origin.level > 1:
        later = files_and_entries(store, environ, commit, origin.level, repository.subfolder)(repository)
    settings = at_server(load_settings(repository.root), environ)
    loaded = load_workflows(repository)
    graph, data = loaded.graph, loaded.data
    entries = entries_of_stages(graph.stages.values(), read_entries(repository, loaded.workflows))
    entries.update((name, entry) for name, entry in later.items() if name in graph.stages)
    text = environ.get(DECISIONS_VARIABLE)
    if text is None:
        hint = "the compiled pipeline sets it; to run stages by hand: swath run"
        raise UserError(f"{DECISIONS_VARIABLE} is not set: this is no job of a compiled pipeline", hint=hint)
    decisions = decode(text, list(graph.stages))
    plan = planned_jobs(repository, graph, decisions, settings, commit=commit, level=origin.level)
    if plan.digest != options.plan_digest:
        hint = "a file has changed since, or another version of Swath compiled the pipeline: start a new pipeline"
        message = f"the plan of this checkout ({plan.digest}) is not the one of the pipeline ({options.plan_digest})"
        raise UserError(message, hint=hint)
    job = plan.job(options.name)
    if job is None or not job.stages:
        raise UserError(f"the plan has no job {options.name!r} with stages", hint="start a new pipeline")
    return _Opened(settings, loaded, entries, data, decisions, plan, job)


def _entries_before(
    repository: Repository, opened: _Opened, own: OwnFragment, store: RemoteStore, origin: Origin
) -> dict[str, LockEntry]:
    """The lock's entries, over them those of the jobs and the attempt before; what these wrote for Git is written."""
    before = upstream_fragments(store, origin.pipeline, opened.plan, opened.job)
    results = merge_fragments(opened.plan.commit, [*before, own.fragment])
    put_files(repository, store, results.files)
    fresh = {name: dict(record.lock) for name, record in results.stages.items() if record.lock is not None}
    return {**opened.entries, **fresh}


def _use_shared_cache(repository: Repository, folder: str | None, options: JobOptions) -> bool:
    """Set DVC's cache to the runner's, for this process.

    Raises:
        UserError: it is not there, or cannot be written.
    """
    if folder is None:
        return False
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        hint = f'mount it into jobs, writable: volumes = ["{folder}:{folder}"] in config.toml; or correct `runners`'
        raise UserError(f"the runner's cache {folder} is not there for this job, or cannot be written", hint=hint)
    links = repository.config["cache"].get("type") or list(_LINKS)
    repository.set_over({"cache": {"dir": folder, "shared": "group", "type": links}})
    # Others use what this job writes there.
    options.set_umask(0 if os.stat(folder).st_mode & stat.S_IWOTH else 0o002)
    return True


def _is_kept_by_a_runner(repository: Repository, environ: Mapping[str, str]) -> bool:
    """Whether the cache is that of a runner's checkout, which nobody else reads: not one of somebody's own machine."""
    return bool(environ.get("GITLAB_CI")) and Path(repository.cache_dir).is_relative_to(repository.checkout)


def _drop_unused(tools: Tools) -> None:
    """Remove from the runner's cache what nobody has used for long."""
    if tools.runners_cache:
        removed = drop_unused(tools.disk.cache.folder, unused_age(tools.environ), tools.facts.named_objects())
        if removed:
            tools.console.say(f"{Size(removed)} that nobody has used for long removed from the runner's cache")


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """Where stages are done."""

    store: RemoteStore
    console: Console
    folder: Path
    shared: bool
    environ: Mapping[str, str]


def _tools(repository: Repository, opened: _Opened, entries: Mapping[str, LockEntry], around: _Surroundings) -> Tools:
    graph = opened.graph
    stages = [graph.stages[name] for name in opened.job.stages]
    disk = Workspace(repository, entries)
    stores = _stores(repository, graph, stages, opened.data, around)
    sources: dict[str | None, Store] = {**stores}
    sources.update(import_stores(repository, disk.cache, opened.data, around.environ))
    runtime = _runtime(around.environ, opened.settings)
    tools = Tools(
        facts=JobFacts(repository, entries, graph, opened.data, sources),
        disk=disk,
        stores=stores,
        sources=sources,
        ignores=_write_ignores(repository, opened, stages),
        services=Services(
            repository.root,
            opened.settings,
            runtime,
            around.environ,
            in_ci=True,
            scratch=lambda stage, words: tools.scratch[stage.name].of_command(stage, words),
        ),
        console=around.console,
        logs=around.folder / "logs",
        shared_cache=around.shared,
        not_to_run=_not_to_run(repository, opened, stages, around.environ),
        runners_cache=around.shared or _is_kept_by_a_runner(repository, around.environ),
        environ={**around.environ, RUNTIME_VARIABLE: runtime},  # for a `swath exec` inside a longer shell command
    )
    tools.services.origins = Origins(graph.output_paths, repository.cache_dir)
    return tools


def _not_to_run(
    repository: Repository, opened: _Opened, stages: Sequence[Stage], environ: Mapping[str, str]
) -> frozenset[str]:
    """The stages that must find their results: long ones, in a merge train."""
    return Workloads(repository.root, opened.settings).long(stages) if in_merge_train(environ) else frozenset()


def _stores(
    repository: Repository,
    graph: StageGraph,
    stages: Sequence[Stage],
    data: Sequence[DataOutput],
    around: _Surroundings,
) -> dict[str | None, RemoteStore]:
    """The remotes that these stages, those before them, and tracked data name."""
    names, default = graph.before(stage.name for stage in stages), around.store
    patience = patience_of(around.environ, _PATIENCE)
    remotes = {out.remote for name in names for out in graph.stages[name].outs if out.remote}
    remotes |= {out.remote for out in data if out.remote and not out.source}
    named = {name: RemoteStore(repository, name, patience) for name in sorted(remotes) if name != default.name}
    stores: dict[str | None, RemoteStore] = {None: default, default.name: default}
    return stores | named


def _write_ignores(repository: Repository, opened: _Opened, stages: Sequence[Stage]) -> LateIgnores:
    """The `.gitignore` lines of all that the pipeline makes, as `swath run` writes them."""
    moving = [opened.graph.stages[name] for name, kind in opened.decisions.items() if kind != "unchanged"]
    paths = outputs_to_ignore(moving)
    write_ignore_lines(repository, paths, folders=folders_inside_deps(opened.graph, paths))
    own = outputs_to_ignore(stages)
    return LateIgnores(repository, [p for p in own if not (repository.root / os.path.dirname(p)).is_dir()])


def _runtime(environ: Mapping[str, str], settings: Settings) -> RuntimeChoice:
    """SWATH_RUNTIME, else what swath.yaml's `execution` means inside a job."""
    said = runtime_choice(None, environ)
    if said != "auto":
        return said
    if settings.execution == "docker":
        return "docker"
    return "inside" if environ.get("CI") else "auto"


def _stage(work: StageWork, stage: Stage, own: OwnFragment, console: Console, folder: Path) -> None:
    """Do a stage, and note it in the fragment, whatever came of it."""
    try:
        with console.stage(stage.name, work.log_path(stage)):
            done = work.do(stage)
            if done.did != "failed":
                own.add(stage.name, done.record, done.files)
                console.say(_sentence(stage, done))
                work.copy_metrics(stage, folder / "metrics")
    except InterruptedRunError:
        raise
    except SwathError as error:
        with suppress(SwathError):
            own.add(stage.name, StageRecord(None, exit=error.exit_code), {})
        if isinstance(error, PassingFaultError):
            raise PassingFaultError(f"{stage.name}: {error}") from error
        raise
    if done.did == "failed":
        with suppress(SwathError):
            own.add(stage.name, done.record, {})
        message = f"{stage.name} failed: {done.message}"
        if done.passing:
            raise PassingFaultError(f"{message}; the cause may pass: retry the job")
        raise StageFailedError(message, [stage.name])


def _sentence(stage: Stage, done: Done) -> str:
    said = {"unchanged": "came out unchanged", "restored": "restored from the run cache"}.get(done.did)
    return f"{stage.name} {said or f'done in {done.record.wall_s:.1f} s'}"
