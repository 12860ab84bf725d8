"""What is so inside a job, before anything is pulled: Git, lock entries with those of the jobs before, the remote.

As facts of a revision, with two differences: results count as there when this machine's cache or a remote has them,
and a dep inside or around outputs is worked out from their listings, which are small, instead of taken from the lock.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from swath.dvc_border.data_files import contents_by_path
from swath.dvc_border.revision import Revision
from swath.model.content import Content, content_from_lock_item
from swath.model.lock_entry import Item, LockEntry, entry_hash, items_by_path

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from swath.dvc_border.data_files import DataOutput
    from swath.dvc_border.repository import Repository
    from swath.model.graph import StageGraph
    from swath.model.stage import Dependency, Output, Stage
    from swath.schema.folder_listing import FileHash


class Store(Protocol):
    """What is asked of a remote."""

    def load_run_cache(self, key: str, prefer: Container[str] = ()) -> LockEntry | None:
        """The entry to take for a key."""

    def missing(self, contents: Iterable[Content]) -> set[str]:
        """Hashes of the contents that it lacks."""

    def pull(self, contents: Iterable[Content], stop: threading.Event | None = None) -> int:
        """Bring objects into the cache."""

    def pull_listings(self, contents: Iterable[Content]) -> None:
        """Bring the listings of folders into the cache, without their files."""


class JobFacts(Revision):
    """The facts of a job.

    Args:
        entries: of the lock, with those of jobs before over them.
        data: what `.dvc` files track.
        stores: by the remote's name; the default one under None; of imports by their `.dvc` files.
    """

    def __init__(
        self,
        repository: Repository,
        entries: Mapping[str, LockEntry],
        graph: StageGraph,
        data: Sequence[DataOutput],
        stores: Mapping[str | None, Store],
    ) -> None:
        super().__init__(repository, entries, graph, contents_by_path(data))
        self._stores = stores
        self._sources = {out.path: out.file if out.source else out.remote for out in data}
        self._prefer = frozenset(map(entry_hash, entries.values()))
        self._known: set[str] = set()

    def dep(self, stage: Stage, dep: Dependency, locked: Item | None) -> Item | None:
        """The dep as its makers' entries, `.dvc` files, or Git say it."""
        if dep.path in self._makers or dep.path in self._tracked or "://" in dep.path:
            return super().dep(stage, dep, locked)
        parts = self.parts(dep.path)
        if not parts:
            return super().dep(stage, dep, locked)
        if any(content is None for content in parts.values()):
            return None
        self._assumed = {path: content for path, content in parts.items() if content is not None}
        try:
            self._listings(self._assumed.values())
            content = self._assumed_content(dep.path)
            return content.lock_item(dep.text) if content else None
        finally:
            self._assumed = {}

    def parts(self, path: str) -> dict[str, Content | None]:
        """What stages and `.dvc` files put at a path, inside it, or around it; None: nobody made it yet."""
        places = {*self._makers, *self._tracked}
        touching = [p for p in places if p == path or p.startswith(f"{path}/") or path.startswith(f"{p}/")]
        return {place: self.content_at(place) for place in sorted(touching)}

    def content_at(self, path: str) -> Content | None:
        """The content of an output or of tracked data; None: unknown."""
        if path not in self._makers:
            return self._tracked.get(path)
        maker, out = self._makers[path]
        item = items_by_path(self.locked(maker) or {}, "outs").get(out.text)
        return content_from_lock_item(item) if item else None

    def output_at(self, path: str) -> Output | None:
        """The output at a path; None: it is another's data."""
        return self._makers[path][1] if path in self._makers else None

    def store_at(self, path: str) -> str | None:
        """The name of the store that has what is at a path; None: the default one."""
        out = self.output_at(path)
        return out.remote if out else self._sources.get(path)

    def has_object(self, content: Content) -> bool:
        """Whether this machine's cache or a remote has the data."""
        if content.value in self._known or self.cache.has(content):
            return True
        found = any(not store.missing([content]) for store in self._stores.values())
        if found:
            self._known.add(content.value)
        return found

    def run_cache(self, key: str) -> LockEntry | None:
        """The entry to take: the remote's, by a rule that all jobs share; else this machine's."""
        entry = self._stores[None].load_run_cache(key, self._prefer)
        if entry is not None and self._is_whole(entry):
            return entry
        return self.runs.load(key)

    def _is_whole(self, entry: LockEntry) -> bool:
        contents = (content_from_lock_item(item) for item in items_by_path(entry, "outs").values())
        return all(content is not None and self.has_object(content) for content in contents)

    def listing(self, folder: Content) -> tuple[FileHash, ...]:
        """The files of a folder; none when nobody knows them."""
        self._listings([folder])
        return self.cache.files(folder) or ()

    def _listings(self, contents: Iterable[Content]) -> None:
        """Have the listings of folders here; the remote of an output is not asked where the cache has it."""
        folders = [content for content in contents if content.is_folder and self.cache.files(content) is None]
        for content in folders:
            for store in self._stores.values():
                if not store.missing([content]):
                    store.pull_listings([content])
                    break

    def named_objects(self) -> frozenset[str]:
        """Hashes of all objects that entries name, those of folders' files among them where the listings are here."""
        found: set[str] = set()
        for entry in self._entries.values():
            for section in ("deps", "outs"):
                for item in items_by_path(entry, section).values():
                    content = content_from_lock_item(item)
                    if content is not None:
                        found.add(content.value)
                        found.update(
                            file.value for file in (content.is_folder and self.cache.sound_files(content)) or ()
                        )
        return frozenset(found)
