"""What is so of a revision when only the DVC remote has results: for decisions in CI.

The remote's run cache is listed once. What a pass of `decide` asks beyond that is noted, fetched in bulk after it, and
the pass repeated: never one request after the other for thousands of stages.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, Protocol

from swath.dvc_border.revision import Revision
from swath.model.content import content_from_lock_item
from swath.model.lock_entry import entry_hash, items_by_path
from swath.plan.decide import decide

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from swath.load.revision import OpenRevision
    from swath.model.content import Content
    from swath.model.graph import StageGraph
    from swath.model.lock_entry import LockEntry
    from swath.model.plan import Decision

_AT_A_TIME: Final = 16  # requests


class Store(Protocol):
    """What is asked of a remote: `dvc_border/remote_store.py`."""

    def run_cache_keys(self) -> frozenset[str]:
        """All keys of its run cache."""

    def load_run_cache(self, key: str, prefer: Container[str] = ()) -> LockEntry | None:
        """The entry to take for a key."""

    def missing(self, contents: Iterable[Content]) -> set[str]:
        """Hashes of the contents that it lacks."""


class RemoteFacts(Revision):
    """The facts of a revision; results are where other machines can fetch them, or nowhere.

    Args:
        store: the remote; None: there is none, so nothing can be restored.
    """

    def __init__(self, opened: OpenRevision, store: Store | None) -> None:
        super().__init__(opened.repository, opened.entries, opened.loaded.graph, opened.tracked)
        self._store = store
        self._keys = store.run_cache_keys() if store else frozenset()
        self._found: dict[str, LockEntry | None] = {}
        self._wanted: dict[str, None] = {}
        self._present: dict[str, bool] = {}

    def run_cache(self, key: str) -> LockEntry | None:
        """The remote's entry for a key, once it is fetched; until then none, and it is noted."""
        if key in self._keys and key not in self._found:
            self._wanted[key] = None
        return self._found.get(key)

    def has_object(self, content: Content) -> bool:
        """Whether the remote has the data of a fetched entry."""
        return self._present.get(content.value, False)

    @cached_property
    def _locked_names(self) -> frozenset[str]:
        """Names that the entries of the locks have in the run cache: of several results, the recorded one is taken."""
        return frozenset(entry_hash(entry) for entry in self._entries.values())

    def fetch(self) -> bool:
        """Fetch what the last pass asked for; whether there was anything."""
        wanted, self._wanted = list(self._wanted), {}
        if not wanted or self._store is None:
            return False
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            entries = list(pool.map(partial(self._store.load_run_cache, prefer=self._locked_names), wanted))
        self._found.update(zip(wanted, entries, strict=True))
        contents = {content.value: content for entry in entries if entry for content in _contents(entry)}
        unknown = [content for value, content in contents.items() if value not in self._present]
        missing = self._store.missing(unknown) if unknown else set()
        self._present.update((content.value, content.value not in missing) for content in unknown)
        return True


def decide_with_remote(graph: StageGraph, facts: RemoteFacts) -> dict[str, Decision]:
    """The decisions about all stages, when what the remote has is known."""
    decisions = decide(graph, facts)
    while facts.fetch():
        facts.drop_assumptions()
        decisions = decide(graph, facts)
    return decisions


def _contents(entry: LockEntry) -> Iterable[Content]:
    found = (content_from_lock_item(item) for item in items_by_path(entry, "outs").values())
    return [content for content in found if content is not None]
