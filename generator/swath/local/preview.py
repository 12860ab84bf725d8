"""What a run of this workspace would do now; nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from swath.load.targets import Selection, selected_stages
from swath.local.project import read_project
from swath.plan.decide import decide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.dvc_border.repository import Repository
    from swath.model.graph import StageGraph
    from swath.model.plan import Decision


@dataclass(frozen=True, slots=True)
class Preview:
    """Decisions on stages, before anything is done.

    Attributes:
        graph: the chosen stages.
        pending: groups that cannot be resolved yet, with the reason.
    """

    graph: StageGraph
    decisions: Mapping[str, Decision]
    pending: Mapping[str, str]


def preview(repository: Repository, selection: Selection, *, force: bool = False, tolerant: bool = False) -> Preview:
    """Decide on the stages that `run_workflows` would take for the same selection.

    Args:
        force: all of them run.
        tolerant: outputs may overlap.

    Raises:
        UserError: files are wrong, or a target means nothing.
    """
    project = read_project(repository, tolerant=tolerant)
    names = selected_stages(project.loaded, selection)
    graph = project.graph.only(names)
    workspace = project.workspace(names)
    decisions = decide(graph, workspace, forced=frozenset(names) if force else ())
    workspace.hasher.flush()
    return Preview(graph, decisions, project.loaded.pending)
