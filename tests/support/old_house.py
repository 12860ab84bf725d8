"""A repository with a Git server and a DVC remote, whose past lies long ago: for tests of `swath gc`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from support.repositories import Bench, make_repository
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.model.content import content_from_lock_item
from swath.model.lock_entry import entry_hash, items_by_path

if TYPE_CHECKING:
    from swath.clean.places import GcOptions

LONG_AGO = "2020-01-01T00:00:00Z"
_PIPELINE = {
    "stages": {
        "make": {
            "cmd": "mkdir -p out && echo ${v} >out/a && echo same >out/b && echo ${v} >file",
            "params": ["v"],
            "outs": ["out", "file"],
        }
    }
}


class OldHouse:
    """The repository, its server and its remote."""

    def __init__(self, root: Path) -> None:
        self.root, self.far, self.server = root, root / "far", root / "server.git"
        self.bench = make_repository(root / "repo", {})
        self.bench.add_remote("far", str(self.far))
        self.bench.command("git", "init", "-q", "--bare", "-b", "main", str(self.server))
        self.bench.command("git", "remote", "add", "origin", str(self.server))
        self.version(0)

    def version(self, number: object, *, push: bool = True) -> None:
        """Record one version of the results, long ago, and push all of it."""
        self.bench.write({"dvc.yaml": _PIPELINE, "params.yaml": f"v: {number}\n"})
        self.bench.run()
        self.commit(f"version {number}")
        if push:
            self.push()

    def commit(self, message: str) -> None:
        """Commit everything, long ago."""
        dates = {"GIT_COMMITTER_DATE": LONG_AGO, "GIT_AUTHOR_DATE": LONG_AGO}
        self.bench.command("git", "add", "-A")
        self.bench.command("git", "commit", "-q", "--allow-empty", "-m", message, **dates)

    def push(self) -> None:
        """Send what the lock names, and its entries of the run cache."""
        store = RemoteStore(Repository(self.bench.root), patience=Patience(pauses_s=()))
        for entry in self.bench.lock().values():
            contents = [content_from_lock_item(item) for item in items_by_path(entry, "outs").values()]
            store.push([content for content in contents if content])
            key = next(Path(self.bench.root, ".dvc/cache/runs").glob(f"??/*/{entry_hash(entry)}")).parent.name
            store.save_run_cache(key, entry_hash(entry), entry)

    def share(self) -> None:
        """Push branches and tags to the server."""
        self.bench.command("git", "push", "-q", "--force", "origin", "--all")
        self.bench.command("git", "push", "-q", "--force", "origin", "--tags")

    def age(self, *folders: Path) -> None:
        """Let all files of the remote (and the cache) be from long ago."""
        for folder in folders or (self.far, self.bench.root / ".dvc/cache"):
            for path in folder.rglob("*"):
                os.utime(path, (1, 1))

    def objects(self) -> set[str]:
        """Hashes of the remote's objects."""
        return {path.parent.name + path.name for path in (self.far / "files/md5").glob("??/*")}

    def entries(self) -> set[str]:
        """Names of the remote's entries of the run cache."""
        return {path.name for path in (self.far / "runs").glob("??/*/*")}

    def named(self) -> set[str]:
        """Hashes that the lock in the work tree names, files of folders among them."""
        store = RemoteStore(Repository(self.bench.root), patience=Patience(pauses_s=()))
        found: set[str] = set()
        for entry in self.bench.lock().values():
            for item in items_by_path(entry, "outs").values():
                content = content_from_lock_item(item)
                assert content is not None
                found.add(content.value)
                if content.is_folder:
                    found.update(file.value for file in store._cache.files(content) or ())
        return found

    def clone(self, name: str) -> Bench:
        """A fresh clone of the server's default branch."""
        path = self.root / name
        self.bench.command("git", "clone", "-q", str(self.server), str(path))
        return Bench(path)

    def clean(self, options: GcOptions, name: str | None = None) -> set[str]:
        """Clean the remote; hashes and paths of what went."""
        from swath.clean.places import clean_remote

        removed = clean_remote(Repository(self.bench.root), name, options)
        return {each.name for each in removed.files}
