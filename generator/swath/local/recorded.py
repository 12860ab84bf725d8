"""A revision as it is recorded: what its stages said they read and wrote, and which of them can be judged again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from swath.dvc_border.data_files import contents_by_path
from swath.dvc_border.lock import entries_of_stages, read_entries
from swath.dvc_border.revision import Revision, exported_revision
from swath.load.targets import select_stages
from swath.load.workflows import load_workflows
from swath.model.content import Content, content_from_lock_item
from swath.model.lock_entry import items_by_path
from swath.plan.decide import decide_stage

if TYPE_CHECKING:
    from swath.dvc_border.repository import Repository
    from swath.model.lock_entry import LockEntry
    from swath.model.stage import Stage
    from swath.plan.decide import Facts

_CHANGES: Final = {
    "cmd": "its command",
    "dep": "a dep",
    "service": "its service",
    "param": "a parameter",
    "missing": "a dep",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A revision as it is recorded.

    Attributes:
        stages: those that were asked for, in the graph's order.
        contents: what stages and `.dvc` files say of data, by path from the root.
        unfit: stages that cannot be judged, with the reason.
    """

    stages: tuple[Stage, ...]
    entries: Mapping[str, LockEntry]
    contents: Mapping[str, Content]
    unfit: Mapping[str, str]

    def inputs(self, stage: Stage) -> dict[str, Content]:
        """What of this data a stage reads: at its deps, inside them, or around them."""
        paths = sorted(self.contents)
        own = {out.path for out in stage.outs}
        found: dict[str, Content] = {}
        for dep in stage.deps:
            around = next(
                (p for p in map(str, [dep.path, *PurePosixPath(dep.path).parents]) if p in self.contents), None
            )
            found |= {path: self.contents[path] for path in ([around] if around else _inside(dep.path, paths))}
        return {path: content for path, content in found.items() if path not in own}


def _inside(folder: str, paths: Sequence[str]) -> Sequence[str]:
    """Those of some sorted paths that lie in a folder."""
    if folder == ".":
        return paths
    return paths[bisect_left(paths, f"{folder}/") : bisect_left(paths, f"{folder}0")]  # "0" follows "/"


def read_recorded(repository: Repository, rev: str, targets: Sequence[str], below: str) -> Recorded:
    """Read a revision.

    Args:
        targets: as DVC takes them; none: all stages.
        below: the user's working directory, from the root.

    Raises:
        UserError: there is no such revision, its files are wrong, or a target means nothing there.
    """
    with exported_revision(repository, rev) as tree:
        loaded = load_workflows(tree, tolerant=True)  # each stage is judged by itself
        graph = loaded.graph
        names = select_stages(loaded, targets, below=below)
        entries = entries_of_stages(graph.stages.values(), read_entries(tree, loaded.workflows))
        contents = {path: content for path, content in contents_by_path(loaded.data).items() if content}
        facts = Revision(tree, entries, graph, contents)
        for name, entry in entries.items():
            contents |= _outputs(graph.stages[name], entry)
        unfit = {name: why for name in names if (why := _unfit(graph.stages[name], entries.get(name), facts))}
    return Recorded(tuple(graph.stages[name] for name in names), entries, contents, unfit)


def _outputs(stage: Stage, entry: LockEntry) -> dict[str, Content]:
    """The outputs that an entry records, those aside that lie in Git."""
    items = items_by_path(entry, "outs")
    found = {out.path: content_from_lock_item(items[out.text]) for out in stage.outs if out.cache and out.text in items}
    return {path: content for path, content in found.items() if content}


def _unfit(stage: Stage, entry: LockEntry | None, facts: Revision) -> str:
    """Why a stage cannot be judged; empty: it can."""
    if entry is None:
        return "dvc.lock does not have it"
    if not stage.outs:
        return "it has no outputs to compare"
    if stage.frozen:
        return "it is frozen"
    if any(out.persist for out in stage.outs):
        return "it goes on from what its output was before (persist)"
    if any(
        "://" in path or path.startswith("/")
        for path in [*(out.path for out in stage.outs), *(dep.path for dep in stage.deps)]
    ):
        return "it reads or writes outside the repository"
    changed = changed_input(stage, facts)
    return f"{changed} is not as it was recorded: its entry is stale" if changed else ""


def changed_input(stage: Stage, facts: Facts) -> str:
    """Which of its inputs are not as the stage's entry says, in a word; empty: all are."""
    return next((_CHANGES[r.kind] for r in decide_stage(stage, facts).reasons if r.kind in _CHANGES), "")
