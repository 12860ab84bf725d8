"""Run recorded stages again, each by itself, and compare what comes out with dvc.lock.

    revision ─▶ which stages can be judged ─▶ for each, in parallel:
        clean copy of the commit ─▶ inputs as recorded ─▶ run ─▶ compare ─▶ copy away

Each stage gets the inputs that its entry names, not ones that were just made again: so a stage that is not
deterministic does not spoil the verdict on those behind it. The user's workspace, cache and locks stay as they are.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from swath.dvc_border.cache import Cache
from swath.dvc_border.clean_copy import clean_copy, seed
from swath.dvc_border.content import Hasher
from swath.dvc_border.gitignore import LateIgnores
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.rwlock import PathLocks
from swath.dvc_border.workspace import Workspace
from swath.errors import StageFailedError, SwathError
from swath.load.settings import load_settings
from swath.local.journal import Journal
from swath.local.machine import this_machine
from swath.local.recorded import Recorded, changed_input, read_recorded
from swath.local.scheduler import Hooks, Result, run_tasks
from swath.local.services import Services
from swath.local.stage_work import StageWork, Tools
from swath.model.content import content_from_lock_item
from swath.model.lock_entry import items_by_path
from swath.model.units import counted
from swath.model.verdict import FileChange, OutDifference, Verdict

if TYPE_CHECKING:
    from swath.dvc_border.repository import Repository
    from swath.local.resources import Demand
    from swath.model.content import Content
    from swath.model.invocation import RuntimeChoice
    from swath.model.stage import Stage


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What the user asked for.

    Attributes:
        commit: the full id of the commit to verify.
        targets: as DVC takes them; none: all stages.
        below: the user's working directory, from the root.
        jobs: most stages at a time; None: one for each core.
        environ: of this process.
    """

    commit: str
    targets: tuple[str, ...] = ()
    below: str = "."
    jobs: int | None = None
    runtime: RuntimeChoice = "auto"
    environ: Mapping[str, str] = field(default_factory=dict)


def verify_stages(
    repository: Repository, options: VerifyOptions, stop: threading.Event, finished: Callable[[Verdict], None]
) -> list[Verdict]:
    """Run stages again and compare.

    Args:
        stop: set it to end early; stages that were not judged are left out.
        finished: told of each verdict; called from threads.

    Returns:
        A verdict for each stage, in the graph's order.

    Raises:
        UserError: there is no such revision, or its files are wrong.
        PassingFaultError: inputs cannot be fetched now.
    """
    recorded = read_recorded(repository, options.commit, options.targets, options.below)
    verdicts = {name: Verdict(name, "skipped", why) for name, why in recorded.unfit.items()}
    for verdict in verdicts.values():
        finished(verdict)
    stages = {stage.name: stage for stage in recorded.stages if stage.name not in recorded.unfit}
    inputs = {name: recorded.inputs(stage) for name, stage in stages.items()}
    _fetch(repository, (content for contents in inputs.values() for content in contents.values()))
    with _Judge(repository, options, recorded, stop) as judge:

        def work(name: str, gpus: tuple[str, ...]) -> Result:
            verdict = judge.verdict(stages[name], inputs[name], gpus)
            if verdict is not None:
                verdicts[name] = verdict
                finished(verdict)
            return "done"

        hooks = Hooks(work, lambda name: judge.demand(stages[name]), lambda: None)
        run_tasks(dict.fromkeys(stages, ()), judge.machine, hooks, stop, keep_going=True)
    return [verdicts[stage.name] for stage in recorded.stages if stage.name in verdicts]


def raise_for(verdicts: Iterable[Verdict]) -> None:
    """Turn verdicts into the error that ends the command.

    Raises:
        StageFailedError: a stage failed, or gave something else.
    """
    bad = [verdict.stage for verdict in verdicts if verdict.kind in {"differs", "failed"}]
    if bad:
        verb = "does" if len(bad) == 1 else "do"
        names = ", ".join(bad[:10]) + (" …" if len(bad) > 10 else "")
        raise StageFailedError(f"{counted(len(bad), 'stage')} {verb} not give what is recorded: {names}", bad)


def _fetch(repository: Repository, contents: Iterable[Content]) -> None:
    """Bring inputs that this machine lacks into its cache, as `dvc fetch` does."""
    cache = Cache(repository, Hasher(repository))
    missing = [content for content in dict.fromkeys(contents) if not cache.has(content)]
    if missing and repository.config["core"].get("remote"):
        store = RemoteStore(repository)
        absent = store.missing(missing)  # who lacks an input says so in its verdict
        store.pull(content for content in missing if content.value not in absent)


class _Judge:
    """Judges stages, one per call of `verdict`. Thread-safe."""

    def __init__(
        self, repository: Repository, options: VerifyOptions, recorded: Recorded, stop: threading.Event
    ) -> None:
        self._repository, self._options, self._recorded, self._stop = repository, options, recorded, stop
        self._cache = Cache(repository, Hasher(repository))
        self._number = 0
        self._lock = threading.Lock()
        self.machine = this_machine(options.jobs)

    def __enter__(self) -> Self:
        self._repository.tmp_dir.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="verify-", dir=self._repository.tmp_dir))
        self._services = self._services_of(self._copy())
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def demand(self, stage: Stage) -> Demand:
        """What a stage takes from the machine."""
        return self.machine.most_of(self._services.demand(stage))

    def verdict(self, stage: Stage, inputs: Mapping[str, Content], gpus: tuple[str, ...]) -> Verdict | None:
        """Run a stage again in a copy of its own; None: it was stopped."""
        copy = None
        try:
            copy = self._copy()
            return self._judge(copy, stage, inputs, gpus)
        except SwathError as error:
            return Verdict(stage.name, "failed", str(error))
        finally:
            if copy is not None:
                copy.state.close()
                shutil.rmtree(copy.root, ignore_errors=True)

    def _copy(self) -> Repository:
        with self._lock:
            self._number += 1
            folder = self._folder / str(self._number)
        return clean_copy(self._repository, self._options.commit, folder)

    def _services_of(self, copy: Repository) -> Services:
        return Services(copy.root, load_settings(copy.root), self._options.runtime, self._options.environ)

    def _judge(
        self, copy: Repository, stage: Stage, inputs: Mapping[str, Content], gpus: tuple[str, ...]
    ) -> Verdict | None:
        workspace = Workspace(copy, {stage.name: self._recorded.entries[stage.name]})
        for path, content in inputs.items():
            if not seed(self._cache, workspace.cache, content):
                return Verdict(stage.name, "skipped", f"neither this machine nor the remote has {path}")
            workspace.cache.take(content, workspace.absolute(path))
        Path(workspace.absolute(stage.wdir)).mkdir(parents=True, exist_ok=True)
        changed = changed_input(stage, _Inputs(workspace))
        if changed:
            return Verdict(stage.name, "skipped", f"{changed} cannot be brought back as it was recorded")
        report = self._work(copy, workspace, stage).do(stage, gpus)
        log = str(report.log or "")
        if report.did == "stopped":
            return None
        if report.did != "ran":
            return Verdict(stage.name, "failed", report.message, report.wall_s, log=log)
        outs = tuple(self._differences(workspace, stage))
        return Verdict(stage.name, "differs" if outs else "same", "", report.wall_s, outs, log)

    def _work(self, copy: Repository, workspace: Workspace, stage: Stage) -> StageWork:
        services = self._services_of(copy)
        tools = Tools(
            workspace=workspace,
            journal=Journal(copy.tmp_dir),
            locks=PathLocks(copy),
            ignores=LateIgnores(copy, ()),
            logs=self._repository.tmp_dir / "logs" / "verify",
            options=services.options,
            start_service=services.start,
            shortage=lambda each: self.machine.shortage(services.demand(each)),
            started=lambda *_: None,
            forced=frozenset({stage.name}),
        )
        return StageWork(tools, self._stop)

    def _differences(self, workspace: Workspace, stage: Stage) -> Iterable[OutDifference]:
        items = items_by_path(self._recorded.entries[stage.name], "outs")
        for out in stage.outs:
            before = content_from_lock_item(items.get(out.text, {}))
            now = workspace.tracked(out.path, legacy=bool(before and before.legacy))
            if now is not None and not now.same_as(before):
                files = tuple(self._files(workspace, out.path, before))
                yield OutDifference(out.path, before.value if before else "", now.value, files)

    def _files(self, workspace: Workspace, path: str, before: Content | None) -> Iterable[tuple[str, FileChange]]:
        """The files of a folder that differ, by path; none when this machine does not know the recorded ones."""
        folder = workspace.absolute(path)
        listing = self._cache.sound_files(before) if before and before.is_folder and Path(folder).is_dir() else None
        if listing is None:
            return
        old = {file.relpath: file.value for file in listing}
        new = {file.relpath: file.value for file in workspace.hasher.tree(folder).files}
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield name, "missing" if name not in new else "added" if name not in old else "changed"


class _Inputs:
    """The facts of a workspace whose outputs do not count."""

    checks_outputs = False

    def __init__(self, workspace: Workspace) -> None:
        self.locked, self.dep, self.out, self.params = workspace.locked, workspace.dep, workspace.out, workspace.params
        self.has_object, self.run_cache = workspace.has_object, workspace.run_cache
