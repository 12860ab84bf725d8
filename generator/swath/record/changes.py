"""Results -> what a commit of them changes in a head's tree: locks, uncached outputs, `.gitignore` lines; nothing else.

On the commit that was run, every result counts. On any other head (the branch moved; the run was on a merge of two
branches) a result counts where it is that head's: its command, deps and parameters are what the head says, and nobody
has recorded another one there since. So what is recorded is never a mixture, and a newer entry is never overwritten.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from swath.dvc_border.data_files import contents_by_path
from swath.dvc_border.gitignore import ignore_file, ignore_line, outputs_to_ignore, with_lines
from swath.dvc_border.lock import entries_of_stages, lock_file, merged_lock, read_entries
from swath.dvc_border.revision import Revision, exported_revision
from swath.errors import UserError
from swath.load.made_files import own_files
from swath.load.workflows import Loaded, load_workflows, read_outputs
from swath.model.lock_entry import items_by_path
from swath.plan.decide import decide_stage
from swath.schema.folder_listing import is_path_inside, is_private

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.dvc_border.repository import Repository
    from swath.model.lock_entry import Item, LockEntry
    from swath.model.stage import Dependency, Output, Stage
    from swath.record.merge import Results

_MOST_ROUNDS: Final = 10
# Whatever else a decision says, the inputs are others than those that were run.
_OTHER_INPUTS: Final = frozenset({"cmd", "dep", "service", "param", "missing"})
Contents = Mapping[str, "bytes | Path | None"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What recording changes in a tree.

    Attributes:
        files: path from the DVC root to content; None: the file goes away. Some may be what they were.
        stages: the stages that count, in the order of dvc.yaml.
        left_out: what does not count: a stage or a path, with the reason.
    """

    files: Contents
    stages: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Head:
    """A head's tree in a folder, with what counts of the results laid over it."""

    tree: Repository
    loaded: Loaded
    taken: Mapping[str, LockEntry]
    left_out: Mapping[str, str]


def changes_at(
    repository: Repository,
    head: str,
    results: Results,
    read_object: Callable[[str], Path],
    files_below: Callable[[Iterable[str]], Iterable[str]],
) -> Changes:
    """What the results change at a head.

    Args:
        head: a commit.
        read_object: the file with the bytes of an MD5, for what is too large for a fragment.
        files_below: the files that the head's tree has at or below some paths (all from the DVC root).

    Raises:
        UserError: the head's files are wrong.
        PassingFaultError: the remote does not give an object.
    """
    base = _entries_at(repository, results.commit) if head != results.commit else None
    with exported_revision(repository, head) as tree:
        at = _settle(tree, results, base)
        files: dict[str, bytes | Path | None] = dict(_locks(at))
        left_out = dict(at.left_out)
        files |= _uncached(at, results, read_object, files_below, left_out)
        files |= _ignores(at, results)
        names = tuple(name for name in at.loaded.graph.stages if name in at.taken)
    return Changes(files, names, left_out)


def known_workflows(repository: Repository, results: Results) -> Loaded:
    """The workflows of the commit that was run, with the stages that these results make known.

    Raises:
        UserError: the commit is not in this clone, or its files are wrong.
    """
    with exported_revision(repository, results.commit) as tree:
        return _settle(tree, results, None).loaded


def entries_at(repository: Repository, commit: str) -> dict[str, LockEntry]:
    """All lock entries of a commit by the stages' names."""
    files = _entries_at(repository, commit).items()
    return {
        key if file == "dvc.yaml" else f"{file}:{key}": entry
        for file, entries in files
        for key, entry in entries.items()
    }


def _entries_at(repository: Repository, commit: str) -> dict[str, dict[str, LockEntry]]:
    with exported_revision(repository, commit) as tree:
        with contextlib.suppress(UserError):  # a broken file of this commit is named where it is needed
            own_files(tree, partial(read_outputs, tree, {}))
        return read_entries(tree, tree.workflow_files)


def _settle(tree: Repository, results: Results, base: Mapping[str, Mapping[str, LockEntry]] | None) -> _Head:
    """Take what counts; a `vars` file among it makes further stages known, so again until nothing changes.

    Args:
        base: the locks of the commit that was run; None: it is the head itself.
    """
    known: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        loaded = load_workflows(tree)
        entries = entries_of_stages(loaded.graph.stages.values(), read_entries(tree, loaded.workflows))
        facts = _AsRecorded(tree, entries, loaded.graph, contents_by_path(loaded.data))
        taken, left_out = _take(loaded, facts, results, base)
        if set(loaded.graph.stages) == known or not loaded.generators:
            break
        known = set(loaded.graph.stages)
        _lay_over(tree, loaded, taken, results)
    for name in results.stages:
        if name not in loaded.graph.stages:
            left_out[name] = "there is no such stage"
    return _Head(tree, loaded, taken, left_out)


def _take(
    loaded: Loaded, facts: _AsRecorded, results: Results, base: Mapping[str, Mapping[str, LockEntry]] | None
) -> tuple[dict[str, LockEntry], dict[str, str]]:
    taken: dict[str, LockEntry] = {}
    left_out: dict[str, str] = {}
    for name, stage in loaded.graph.stages.items():
        record = results.stages.get(name)
        if record is None or record.lock is None:
            continue
        own, ours = facts.locked(stage), dict(record.lock)
        if base is not None and own == ours:
            continue  # it stands there already, with its files as people may have left them since
        if not _has_outputs_of(stage, ours):  # the text comes from the remote, and goes into dvc.lock
            why = "its outputs are not those of the stage"
        elif base is None:
            why = ""
        elif own is not None and own != base.get(stage.file, {}).get(stage.key) and facts.fits(stage, own):
            why = "another pipeline has recorded it"
        else:
            why = "" if facts.fits(stage, ours) else "its command, inputs or parameters are others there"
        if why:
            left_out[name] = why
        else:
            taken[name] = ours
            facts.record(stage, ours)
    return taken, left_out


class _AsRecorded(Revision):
    """The facts of a head in which entries can be tried."""

    def dep(self, stage: Stage, dep: Dependency, locked: Item | None) -> Item | None:
        """As of a revision; what lies outside the repository counts as it was when the stage ran."""
        return locked if "://" in dep.path or dep.path.startswith("/") else super().dep(stage, dep, locked)

    def fits(self, stage: Stage, entry: LockEntry) -> bool:
        """Whether the entry is what the stage's inputs would give here."""
        before = self.locked(stage)
        self.record(stage, entry)
        reasons = {reason.kind for reason in decide_stage(stage, self).reasons}
        if before is None:
            del self._entries[stage.name]
        else:
            self.record(stage, before)
        return _has_outputs_of(stage, entry) and not reasons & _OTHER_INPUTS


def _has_outputs_of(stage: Stage, entry: LockEntry) -> bool:
    return set(items_by_path(entry, "outs")) == {out.text for out in stage.outs}


def _lay_over(tree: Repository, loaded: Loaded, taken: Mapping[str, LockEntry], results: Results) -> None:
    """Write the small uncached outputs into the folder: `vars` files among them say which stages there are."""
    places = _by_place(results)
    for out in _uncached_outputs(loaded, taken):
        for path in places.get(out.path, ()):
            text = results.files[path].text
            target = tree.root / path
            if text is not None and not any(parent.is_symlink() for parent in (target, *target.parents)):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8", newline="")


def _locks(at: _Head) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    entries: dict[str, dict[str, LockEntry]] = {}
    for name, entry in at.taken.items():
        stage = at.loaded.graph.stages[name]
        entries.setdefault(stage.file, {})[stage.key] = entry
    present = read_entries(at.tree, entries)
    for file, fresh in entries.items():
        changed = {key: entry for key, entry in fresh.items() if present[file].get(key) != entry}
        if changed:
            name = lock_file(file)
            path = at.tree.root / name
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            order = [stage.key for stage in at.loaded.workflows[file].stages]
            found[name] = merged_lock(text, name, changed, order).encode()
    return found


def _uncached(
    at: _Head,
    results: Results,
    read_object: Callable[[str], Path],
    files_below: Callable[[Iterable[str]], Iterable[str]],
    left_out: dict[str, str],
) -> dict[str, bytes | Path | None]:
    """The contents of `cache: false` outputs; a folder becomes exactly what the stage wrote."""
    found: dict[str, bytes | Path | None] = {}
    places = _by_place(results)
    written = [out.path for out in _uncached_outputs(at.loaded, at.taken) if out.path in places]
    found |= dict.fromkeys(files_below(written))
    for path in (path for out in written for path in places[out]):
        file = results.files[path]
        found[path] = read_object(file.md5) if file.text is None else file.text.encode()
    uncached = (out for stage in at.loaded.graph.stages.values() for out in stage.outs if not out.cache)
    made = {path for out in uncached for path in places.get(out.path, ())}
    left_out |= dict.fromkeys(results.files.keys() - made, "no stage writes it with `cache: false`")
    return found


def _uncached_outputs(loaded: Loaded, taken: Mapping[str, LockEntry]) -> list[Output]:
    return [
        out for name in loaded.graph.stages if name in taken for out in loaded.graph.stages[name].outs if not out.cache
    ]


def _by_place(results: Results) -> dict[str, list[str]]:
    """The files at or below each path."""
    found: dict[str, list[str]] = {}
    for path in filter(_is_inside, results.files):
        found.setdefault(path, []).append(path)
        for parent in PurePosixPath(path).parents:
            found.setdefault(str(parent), []).append(path)
    return found


def _is_inside(path: str) -> bool:
    return is_path_inside(path) and not is_private(path)


def _ignores(at: _Head, results: Results) -> dict[str, bytes]:
    """The `.gitignore` lines of outputs, as `swath run` adds them: in the graph's order, behind what is there."""
    wanted: dict[str, list[str]] = {}
    for path in outputs_to_ignore(at.loaded.graph.stages.values()):
        file, line = ignore_file(path), ignore_line(path)
        if line in results.ignores.get(file, ()):
            wanted.setdefault(file, []).append(line)
    found: dict[str, bytes] = {}
    for file, lines in wanted.items():
        present = at.tree.root / file
        text = present.read_bytes().decode("utf-8", "surrogateescape") if present.is_file() else ""
        changed = with_lines(text, lines)
        if changed != text:
            found[file] = changed.encode("utf-8", "surrogateescape")
    return found
