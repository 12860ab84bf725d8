"""Targets as DVC takes them: a stage, a group, a dvc.yaml, an output, a `.dvc` file, a folder."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from swath.errors import UserError
from swath.model.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.load.workflows import Loaded
    from swath.model.stage import Stage

Reach = Literal["upstream", "downstream", "alone"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which stages a command is about.

    Attributes:
        targets: as DVC takes them; none: everything.
        below: the user's working directory, from the root.
        reach: the targets with what they need, with what needs them, or alone.
    """

    targets: tuple[str, ...] = ()
    below: str = "."
    reach: Reach = "upstream"

    @property
    def needs_graph(self) -> bool:
        """Whether a run of it follows edges; DVC too lets outputs overlap where it takes stages alone."""
        return self.reach != "alone"


def selected_stages(loaded: Loaded, selection: Selection) -> list[str]:
    """The names of the stages of a selection, in the graph's order: for a run, and for what shows it beforehand.

    Raises:
        UserError: a target means nothing here.
    """
    chosen = select_stages(loaded, selection.targets, below=selection.below)
    if not selection.targets or selection.reach == "alone":
        return chosen
    graph = loaded.graph
    reached = graph.behind(chosen) if selection.reach == "downstream" else graph.before(chosen)
    return [name for name in graph.stages if name in reached]


def select_stages(loaded: Loaded, targets: Sequence[str], *, below: str = ".") -> list[str]:
    """The names of the stages that targets mean, in the graph's order; all without targets.

    Args:
        below: the user's working directory from the root: paths start there, and so do names of stages.

    Raises:
        UserError: a target means nothing here.
    """
    if not targets:
        return list(loaded.graph.stages)
    chosen: set[str] = set()
    for target in targets:
        found = _stages_of(loaded, target, below)
        if not found:
            known = {stage.name for stage in loaded.graph.stages.values()} | {
                s.group for s in loaded.graph.stages.values()
            }
            hint = did_you_mean(target, known) or "see the names with: swath plan"
            raise UserError(f"there is no stage, dvc.yaml or output {target!r}", hint=hint)
        chosen.update(stage.name for stage in found)
    return [name for name in loaded.graph.stages if name in chosen]


def _stages_of(loaded: Loaded, target: str, below: str) -> list[Stage]:
    stages = loaded.graph.stages.values()
    path = posixpath.normpath(posixpath.join(below, target.replace(os.sep, "/")))
    if path in loaded.workflows:
        return [stage for stage in stages if stage.file == path]
    own_file = posixpath.normpath(posixpath.join(below, "dvc.yaml"))
    file, _, name = target.rpartition(":")
    file = posixpath.normpath(posixpath.join(below, file)) if file else own_file
    if os.path.basename(file) == "dvc.yaml":
        named = [stage for stage in stages if stage.file == file and name in {stage.key, stage.group}]
        if named:
            return named
    by_name = [stage for stage in stages if stage.name == target]
    return by_name or [stage for stage in stages if any(_is_inside(path, out.path) for out in stage.outs)]


def _is_inside(path: str, out: str) -> bool:
    return path == out or path.startswith(out + "/") or out.startswith(path + "/")
