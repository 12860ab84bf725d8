"""What is so in a workspace: the answers that `plan/decide.py` asks for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher, hash_bytes
from swath.dvc_border.external import external_item
from swath.dvc_border.params import ParamsReader
from swath.dvc_border.run_cache import RunCache
from swath.model.content import Content, content_from_lock_item
from swath.schema.folder_listing import FileHash, listing_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from swath.dvc_border.repository import Repository
    from swath.model.lock_entry import LockEntry
    from swath.model.stage import Dependency, JSONValue, Output, ParamsRead, Stage

Item = dict[str, "JSONValue"]


class Workspace:
    """The facts of a workspace: what is on disk wins over the lock.

    Args:
        entries: lock entries by stage name.
    """

    checks_outputs = True

    def __init__(self, repository: Repository, entries: Mapping[str, LockEntry]) -> None:
        self.repository = repository
        self.hasher = Hasher(repository)
        self.cache = Cache(repository, self.hasher)
        self.runs = RunCache(self.cache)
        self._root = str(repository.root)
        self._entries = dict(entries)
        self._params = ParamsReader(self._root)
        self._assumed: dict[str, Content] = {}

    def absolute(self, path: str) -> str:
        """`path` (from the root) on this machine."""
        return os.path.join(self._root, path)

    def preload(self, stages: Iterable[Stage]) -> None:
        """Read DVC's record of all files that a plan over `stages` will ask for, at once."""
        paths: set[str] = set()
        for stage in stages:
            paths.update(dep.path for dep in stage.deps)
            paths.update(out.path for out in stage.outs)
        self.hasher.preload([self.absolute(path) for path in sorted(paths)])

    def locked(self, stage: Stage) -> LockEntry | None:
        """The stage's lock entry."""
        return self._entries.get(stage.name)

    def record(self, stage: Stage, entry: LockEntry) -> None:
        """From now on this is the stage's entry."""
        self._entries[stage.name] = entry

    def dep(self, stage: Stage, dep: Dependency, locked: Item | None) -> Item | None:
        """The dep as the lock would say it."""
        if "://" in dep.path:
            return external_item(self.repository, stage, dep.text)
        content = self._content(dep.path, legacy=_is_legacy(locked))
        return content.lock_item(dep.text) if content else None

    def out(self, stage: Stage, out: Output, locked: Item | None) -> Item | None:
        """The output as the lock would say it."""
        if "://" in out.path:
            return external_item(self.repository, stage, out.text)
        content = self._content(out.path, legacy=_is_legacy(locked))
        return content.lock_item(out.text) if content else None

    def params(self, read: ParamsRead) -> dict[str, JSONValue] | None:
        """The parameters there are."""
        return self._params.values(read)

    def has_object(self, content: Content) -> bool:
        """Whether the cache has the data."""
        return self.cache.has(content)

    def run_cache(self, key: str) -> LockEntry | None:
        """The run-cache entry to take."""
        return self.runs.load(key)

    def tracked(self, path: str, *, legacy: bool) -> Content | None:
        """The content of data that a `.dvc` file tracks, as it is on disk."""
        full = self.absolute(path)
        return self.hasher.legacy_content(full) if legacy else self.hasher.content(full)

    def assume(self, stage: Stage, entry: Mapping[str, JSONValue]) -> None:
        """Answer from now on as if the outputs of `entry` were there already: a plan restores nothing."""
        items = entry.get("outs")
        for item in items if isinstance(items, list) else ():
            out = next((out for out in stage.outs if isinstance(item, dict) and out.text == item.get("path")), None)
            content = content_from_lock_item(item) if out and isinstance(item, dict) else None
            if out and content:
                self._assumed[out.path] = content

    def drop_assumptions(self) -> None:
        """Answer from what is on disk again."""
        self._assumed.clear()

    def _content(self, path: str, *, legacy: bool) -> Content | None:
        if self._assumed:
            assumed = self._assumed_content(path)
            if assumed is not None:
                return assumed
        return self.tracked(path, legacy=legacy)

    def _assumed_content(self, path: str) -> Content | None:
        if path in self._assumed:
            return self._assumed[path]
        parent = next((p for p in self._assumed if path.startswith(p + "/")), None)
        if parent is not None:
            return self._inside(self._assumed[parent], path[len(parent) + 1 :])
        below = {p: c for p, c in self._assumed.items() if p.startswith(path + "/")}
        return self._around(path, below) if below else None

    def _inside(self, folder: Content, relpath: str) -> Content | None:
        files = self.cache.files(folder) or ()
        exact = next((file for file in files if file.relpath == relpath), None)
        if exact:
            return Content(exact.value)
        inner = tuple(
            FileHash(f.relpath[len(relpath) + 1 :], f.value) for f in files if f.relpath.startswith(relpath + "/")
        )
        return Content(hash_bytes(listing_bytes(inner)) + ".dir", nfiles=len(inner)) if inner else None

    def _around(self, path: str, below: Mapping[str, Content]) -> Content:
        """A folder of the workspace in which some paths will be restored."""
        full = self.absolute(path)
        files = {f.relpath: f.value for f in self.hasher.tree(full).files} if os.path.isdir(full) else {}
        for inner, content in below.items():
            relpath = inner[len(path) + 1 :]
            files = {
                name: value for name, value in files.items() if name != relpath and not name.startswith(relpath + "/")
            }
            if content.is_folder:
                files.update({f"{relpath}/{file.relpath}": file.value for file in self.cache.files(content) or ()})
            else:
                files[relpath] = content.value
        hashes = [FileHash(name, value) for name, value in files.items()]
        return Content(hash_bytes(listing_bytes(hashes)) + ".dir", nfiles=len(hashes))


def _is_legacy(locked: Item | None) -> bool:
    return locked is not None and "hash" not in locked and "md5" in locked
