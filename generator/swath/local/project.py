"""A repository read as a whole: workflows, locks, journal, tracked data. For the commands that plan and run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from swath.dvc_border.data_files import DataOutput
from swath.dvc_border.lock import entries_of_stages, lock_times_ns, read_entries
from swath.dvc_border.workspace import Workspace
from swath.load.workflows import Loaded, load_workflows
from swath.local.journal import FileEntries, Journal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.dvc_border.repository import Repository
    from swath.model.graph import StageGraph
    from swath.model.lock_entry import LockEntry


@dataclass(frozen=True, slots=True)
class Project:
    """One reading of a repository.

    Attributes:
        entries: lock entries by stage name; those of the journal stand over those of the locks.
    """

    repository: Repository
    loaded: Loaded
    data: tuple[DataOutput, ...]
    entries: dict[str, LockEntry]

    @property
    def graph(self) -> StageGraph:
        """The graph of all stages."""
        return self.loaded.graph

    def workspace(self, names: Iterable[str] | None = None) -> Workspace:
        """The facts of the workspace; `names`: the stages that will be asked for."""
        workspace = Workspace(self.repository, self.entries)
        stages = self.graph.stages
        workspace.preload(stages[name] for name in (stages if names is None else names))
        return workspace


def read_project(repository: Repository, *, tolerant: bool = False) -> Project:
    """Read everything that decisions need.

    Args:
        tolerant: outputs may overlap.

    Raises:
        UserError: files are wrong.
    """
    loaded = load_workflows(repository, tolerant=tolerant)
    locks = _with_journal(repository, read_entries(repository, loaded.workflows))
    return Project(repository, loaded, loaded.data, entries_of_stages(loaded.graph.stages.values(), locks))


def _with_journal(repository: Repository, locks: FileEntries) -> FileEntries:
    written_ns = lock_times_ns(repository, locks)
    journal = Journal(repository.tmp_dir).pending(locks, written_ns)
    return {file: {**entries, **journal.get(file, {})} for file, entries in locks.items()}


def stage_order(loaded: Loaded) -> dict[str, list[str]]:
    """For each dvc.yaml its stages' keys, in the order in which new ones enter dvc.lock."""
    return {file: [stage.key for stage in workflow.stages] for file, workflow in loaded.workflows.items()}
