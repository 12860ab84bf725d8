"""Open a Git revision for planning: its workflows, locks and tracked data, without data on this machine.

    commit ─▶ its files in a folder of their own ─▶ OpenRevision: workflows, lock entries, facts

Called by `local/revision.py` for `swath plan --rev`, and by `job/pipeline.py` for `swath compile`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swath.dvc_border.data_files import contents_by_path
from swath.dvc_border.lock import entries_of_stages, read_entries
from swath.dvc_border.revision import Revision, exported_revision
from swath.load.workflows import Loaded, load_workflows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from swath.dvc_border.repository import Repository
    from swath.model.content import Content
    from swath.model.lock_entry import LockEntry


@dataclass(frozen=True, slots=True)
class OpenRevision:
    """One reading of a revision.

    Attributes:
        repository: its files, in a temporary folder; its cache and remotes are the user's own.
        entries: lock entries by stage name.
        tracked: what `.dvc` files track: path to content.
    """

    repository: Repository
    loaded: Loaded
    entries: dict[str, LockEntry]
    tracked: Mapping[str, Content | None]

    def facts(self) -> Revision:
        """What is so there, with nothing assumed yet."""
        return Revision(self.repository, self.entries, self.loaded.graph, self.tracked)


@contextmanager
def opened_revision(
    repository: Repository,
    rev: str,
    prepare: Callable[[Repository], Mapping[str, LockEntry]] | None = None,
    *,
    tolerant: bool = False,
) -> Iterator[OpenRevision]:
    """Read a revision.

    Args:
        prepare: puts further files into the folder before it is read, and returns lock entries by stage name that stand
            over those of the locks; None: the revision as it is.
        tolerant: outputs may overlap.

    Raises:
        UserError: there is no such revision, or its files are wrong.
    """
    with exported_revision(repository, rev) as exported:
        later = prepare(exported) if prepare else {}
        loaded = load_workflows(exported, tolerant=tolerant)
        entries = entries_of_stages(loaded.graph.stages.values(), read_entries(exported, loaded.workflows))
        entries.update((name, entry) for name, entry in later.items() if name in loaded.graph.stages)
        yield OpenRevision(exported, loaded, entries, contents_by_path(loaded.data))
