"""One stage in a CI job, from the last look to what goes into the fragment.

    look again ──▶ unchanged: recorded as it is
         │    └──▶ restore: recorded from the run cache, nothing is pulled but what Git keeps
         └───────▶ run: space? ─▶ pull ─▶ attempts ─▶ save ─▶ push objects ─▶ push the run-cache entry

The order of the pushes is such that a kill between two of them never leaves word of something that is not there.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from swath.dvc_border.gitignore import ignore_file
from swath.errors import InterruptedRunError, SwathError, UserError
from swath.execute.attempts import Attempts, log_name
from swath.execute.gpus import visible_gpus
from swath.execute.save import remove_outputs, save_outputs
from swath.job.fragments import file_records
from swath.job.inputs import bring_inputs, missing_bytes, needed_inputs, previous_outputs
from swath.job.last_seconds import last_seconds
from swath.job.merge_train import training_refused
from swath.job.plain_command import PlainCommands
from swath.job.scratch import SCRATCH, Scratch
from swath.job.space import check_space, make_room, note_use
from swath.limits import SIGNAL_GAP_S
from swath.model.content import Content, content_from_lock_item
from swath.model.fragment import FileRecord, StageRecord
from swath.model.lock_entry import entry_hash, fills_run_cache, items_by_path, run_cache_key
from swath.model.units import Size
from swath.plan.decide import check_inputs, decide_stage, inputs_entry

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from swath.dvc_border.gitignore import LateIgnores
    from swath.dvc_border.remote_store import RemoteStore
    from swath.dvc_border.workspace import Workspace
    from swath.execute.attempts import Ending
    from swath.execute.services import Services
    from swath.job.console import Console
    from swath.job.facts import JobFacts, Store
    from swath.model.lock_entry import LockEntry
    from swath.model.settings import StageOptions
    from swath.model.stage import Output, Stage

Did = Literal["unchanged", "restored", "ran", "failed"]
_LARGEST_METRIC: Final = 2**20


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a stage.

    Attributes:
        files: what Git keeps of it.
        message: why it failed; empty otherwise.
        passing: whether the fault may pass by itself.
    """

    did: Did
    record: StageRecord
    files: Mapping[str, FileRecord] = field(default_factory=dict)
    message: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """What the work needs from outside.

    Attributes:
        facts: what is so without data on this machine.
        disk: what is so in the checkout.
        stores: by the remote's name; the default one under None.
        sources: what inputs come from: those, and the imports by their `.dvc` files.
        logs: the folder of log files.
        shared_cache: the cache is one that the runner's jobs share: scratch folders lie there.
        runners_cache: the cache is the runner's, shared or of a kept checkout: space may be made there.
        environ: what this process was started with, and the runtime of services.
        not_to_run: stages that are restored or fail: a merge train trains nothing.
    """

    facts: JobFacts
    disk: Workspace
    stores: Mapping[str | None, RemoteStore]
    sources: Mapping[str | None, Store]
    ignores: LateIgnores
    services: Services
    console: Console
    logs: Path
    shared_cache: bool
    runners_cache: bool
    environ: Mapping[str, str]
    not_to_run: frozenset[str] = frozenset()
    scratch: dict[str, Scratch] = field(default_factory=dict)


class StageWork:
    """Does stages, one after the other."""

    def __init__(self, tools: Tools, stop: threading.Event) -> None:
        self._tools, self._stop = tools, stop
        self._plain = PlainCommands(tools.disk, tools.environ)

    def log_path(self, stage: Stage) -> Path:
        """Where a stage's output goes."""
        return self._tools.logs / log_name(stage)

    def do(self, stage: Stage) -> Done:
        """Bring one stage up to date; the jobs and stages before it are done.

        Raises:
            UserError: an input is wrong, or was never made.
            PassingFaultError: a remote does not answer, or no space is left.
            InterruptedRunError: the job is being stopped.
        """
        facts = self._tools.facts
        self._bring_params(stage)
        decision = decide_stage(stage, facts)
        locked = facts.locked(stage)
        if decision.kind == "unchanged" and locked is not None and (stage.frozen or self._is_kept(stage, locked)):
            return Done("unchanged", StageRecord(locked))
        if stage.frozen:
            raise UserError("the stage is frozen, and dvc.lock does not have it", place=stage.place)
        check_inputs(stage, decision, "commit it, or track it: dvc add, dvc push")
        if decision.kind == "restore" and decision.entry is not None:
            return self._restore(stage, dict(decision.entry))
        if stage.name in self._tools.not_to_run:
            raise training_refused([stage.name])
        return self._run(stage)

    def _bring_params(self, stage: Stage) -> None:
        """Parameter files that a stage makes are read before anything is decided."""
        made = tuple(read for read in stage.params if self._tools.facts.parts(read.path))
        if made:
            tools = self._tools
            inputs = needed_inputs(replace(stage, deps=(), params=made), tools.facts, tools.disk)
            bring_inputs(inputs, tools.sources, tools.disk, self._stop)

    def _is_kept(self, stage: Stage, entry: LockEntry) -> bool:
        """Whether the outputs of an unchanged stage are where other machines find them."""
        return all(
            not out.push or content is None or self._tools.facts.has_object(content)
            for out, content in _outputs(stage, entry)
            if out.cache
        )

    def _restore(self, stage: Stage, entry: LockEntry) -> Done:
        tools = self._tools
        small = [(out, content) for out, content in _outputs(stage, entry) if not out.cache and content]
        pulled = 0
        for out, content in small:
            if not tools.disk.cache.has(content):
                pulled += tools.stores[out.remote].pull([content], self._stop)
            tools.disk.cache.take(content, tools.disk.absolute(out.path), copy=True)
        pushed = self._push(stage, entry, only_local=True)
        self._note(stage, entry)
        record = StageRecord(entry, pulled_bytes=pulled, pushed_bytes=pushed)
        return Done("restored", record, self._files(stage))

    def _run(self, stage: Stage) -> Done:
        tools = self._tools
        options = tools.services.options(stage)
        inputs = needed_inputs(stage, tools.facts, tools.disk) + previous_outputs(stage, tools.facts, tools.disk)
        note_use(tools.disk.cache, [each.content for each in inputs])
        self._see_to_space(options, missing_bytes(inputs, tools.facts))
        pulled = bring_inputs(inputs, tools.sources, tools.disk, self._stop)
        if inputs:
            tools.console.say(f"{len(inputs)} inputs, of which {Size(pulled)} were pulled")
        before = inputs_entry(stage, tools.disk)
        Path(tools.disk.absolute(stage.wdir)).mkdir(parents=True, exist_ok=True)
        scratch = self._scratch(stage, before)
        if found := scratch.fetch():
            tools.console.say(f"{found} files of an earlier attempt are in SWATH_SCRATCH")
        with last_seconds(self._stop) as late:
            with scratch.kept_at_times():
                ending = self._attempts(stage, options, scratch)
            last = ending.outcome
            if last.exit_code:
                self._keep(scratch, late)
        figures = {"wall_s": last.wall_s, "cpu_s": last.cpu_s, "peak_memory_bytes": last.peak_memory_bytes}
        if last.exit_code:
            if self._stop.is_set():
                raise InterruptedRunError(
                    "the job was stopped; what it has finished is kept, a retry goes on from here"
                )
            record = StageRecord(None, **figures, pulled_bytes=pulled, exit=last.exit_code)  # type: ignore[arg-type]
            return Done("failed", record, {}, last.reason, last.temporary)
        tools.ignores.write(stage)
        entry = save_outputs(tools.disk, stage, before)
        self._note(stage, entry)
        self._store_uncached(stage, entry)
        pushed = self._push(stage, entry)
        scratch.drop()
        record = StageRecord(entry, **figures, pulled_bytes=pulled, pushed_bytes=pushed)  # type: ignore[arg-type]
        return Done("ran", record, self._files(stage))

    def _see_to_space(self, options: StageOptions, incoming: int) -> None:
        tools = self._tools
        wanted, cache = int(options.resources.disk or 0), tools.disk.cache.folder
        if tools.runners_cache:
            removed = make_room(cache, wanted + incoming, tools.facts.named_objects())
            if removed:
                tools.console.say(f"{Size(removed)} of old objects removed from the runner's cache")
        check_space(tools.disk.absolute("."), cache, wanted, incoming)

    def _scratch(self, stage: Stage, before: LockEntry) -> Scratch:
        tools = self._tools
        key = run_cache_key(stage, before)
        shared = tools.shared_cache
        base = Path(tools.disk.cache.folder) if shared else tools.disk.repository.tmp_dir
        root = tools.disk.repository.root
        scratch = Scratch(root, base / SCRATCH / key, key, None if shared else tools.stores[None])
        tools.scratch[stage.name] = scratch
        return scratch

    def _keep(self, scratch: Scratch, late: threading.Event) -> None:
        """Keep the scratch folder; a fault of that is said, and hides nothing of the stage's own failure."""
        try:
            scratch.keep(late)
        except (SwathError, OSError) as error:
            said = "there was no time left" if late.is_set() else str(error)
            self._tools.console.say(f"SWATH_SCRATCH was not sent once more, what was sent before stays: {said}")

    def _attempts(self, stage: Stage, options: StageOptions, scratch: Scratch) -> Ending:
        tools = self._tools
        scratch.folder.mkdir(parents=True, exist_ok=True)
        attempts = Attempts(
            start_service=tools.services.start,
            start_shell=self._plain.start,
            prepare=lambda stage: remove_outputs(tools.disk, stage, self._stop),
            started=lambda *_: None,
            signal_gap_s=SIGNAL_GAP_S,
        )
        path = self.log_path(stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=0) as log:
            return attempts.run(stage, self._gpus(stage, options), options, log, self._stop)

    def _gpus(self, stage: Stage, options: StageOptions) -> tuple[str, ...]:
        wanted = options.resources.gpus or 0
        found = visible_gpus(self._tools.environ) if wanted else ()
        if len(found) < wanted:
            message = f"the stage needs {wanted} GPUs, this job sees {len(found)}"
            hint = 'let the runner give its containers GPUs: gpus = "all" in config.toml; or correct `runners`'
            raise UserError(message, place=stage.place, hint=hint)
        return found[:wanted]

    def _push(self, stage: Stage, entry: LockEntry, *, only_local: bool = False) -> int:
        """Send the outputs' objects, those that Git keeps too, then the run-cache entry.

        Args:
            only_local: an entry that was restored: its objects may lie in the remote alone.
        """
        tools, pushed = self._tools, 0
        by_remote: dict[str | None, list[Content]] = {}
        for out, content in _outputs(stage, entry):
            if content is not None and out.push and not (only_local and not tools.disk.cache.has(content)):
                by_remote.setdefault(out.remote, []).append(content)
        for remote, contents in by_remote.items():
            pushed += tools.stores[remote].push(contents)
        if fills_run_cache(stage) and all(out.push for out in stage.outs):
            tools.stores[None].save_run_cache(run_cache_key(stage, entry), entry_hash(entry), entry)
        if pushed:
            tools.console.say(f"{Size(pushed)} pushed")
        return pushed

    def _store_uncached(self, stage: Stage, entry: LockEntry) -> None:
        """What Git keeps goes into the cache too, from where objects are sent, be it of use to the run cache or not."""
        disk = self._tools.disk
        for out, content in _outputs(stage, entry):
            if not out.cache and content is not None and not disk.cache.has(content):
                path = disk.absolute(out.path)
                disk.cache.store(path, content, disk.hasher.tree(path) if content.is_folder else None)

    def _note(self, stage: Stage, entry: LockEntry) -> None:
        self._tools.facts.record(stage, entry)
        self._tools.disk.record(stage, entry)

    def _files(self, stage: Stage) -> dict[str, FileRecord]:
        """What Git keeps: outputs outside the cache, and the `.gitignore` files with the lines of the others."""
        paths: list[str] = []
        for out in stage.outs:
            if "://" in out.path or out.path.startswith("/"):
                continue
            paths += [ignore_file(out.path)] if out.cache else self._below(out.path)
        return file_records(self._tools.disk.absolute("."), dict.fromkeys(paths))

    def _below(self, path: str) -> list[str]:
        full = self._tools.disk.absolute(path)
        if not os.path.isdir(full):
            return [path]
        return [f"{path}/{file.relpath}" for file in self._tools.disk.hasher.tree(full).files]

    def copy_metrics(self, stage: Stage, folder: Path) -> None:
        """Copy a stage's small metrics into a folder, for people who look at the job."""
        for out in stage.outs:
            source = Path(self._tools.disk.absolute(out.path))
            if out.kind == "metrics" and source.is_file() and source.stat().st_size <= _LARGEST_METRIC:
                target = folder / out.path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def _outputs(stage: Stage, entry: LockEntry) -> Sequence[tuple[Output, Content | None]]:
    """A stage's outputs, each with its content in an entry; None: data of a cloud."""
    items = items_by_path(entry, "outs")
    found = ((out, items.get(out.text)) for out in stage.outs)
    return [(out, content_from_lock_item(item) if item else None) for out, item in found]
