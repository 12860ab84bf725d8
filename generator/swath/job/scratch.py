"""SWATH_SCRATCH of a job's stages: kept for the next attempt, wherever that one runs.

    <runner's cache>/swath/scratch/<key>/…                   on a runner whose cache its jobs share
    <remote>/swath/scratch/<key>/<md5>, …/manifest.json      else: sent when the stage fails or is stopped, and at times

The key is that of the work (command, parameters, hashes of the inputs), so a checkpoint is never taken for other work.
A manifest is written after its files, so that a killed job leaves the last whole state. All goes after a success.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from swath.dvc_border.content import hash_file
from swath.errors import SwathError
from swath.execute.scratch import scratch_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swath.dvc_border.remote_store import RemoteStore
    from swath.model.stage import Stage

SCRATCH: Final = "swath/scratch"
_EVERY_S: Final = 600.0


@dataclass(slots=True)
class Scratch:
    """The scratch folder of one stage.

    Attributes:
        folder: on this machine; a folder for each command below it.
        key: of the work.
        store: where it is kept; None: `folder` itself outlives the job.
    """

    root: Path
    folder: Path
    key: str
    store: RemoteStore | None
    _sent: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of_command(self, stage: Stage, words: Sequence[str]) -> Path:
        """The folder of one command; made."""
        folder = self.folder / scratch_path(self.root, stage.wdir, words).name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def _prefix(self) -> str:
        return f"{SCRATCH}/{self.key}"

    def fetch(self) -> int:
        """Bring back what an attempt before left; how many files that is.

        Raises:
            PassingFaultError: the remote does not answer.
        """
        if self.store is None:
            return sum(len(files) for _, _, files in os.walk(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)
        listing = _listing(self.store.read_text(f"{self._prefix}/manifest.json"))
        if not listing:
            return 0
        targets = {path: self.folder / path for path in listing}
        for target in targets.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        pairs = [(f"{self._prefix}/{md5}", str(targets[path])) for path, md5 in listing.items()]
        there = self.store.files.get(pairs)
        whole = all(there) and all(hash_file(str(targets[path])) == md5 for path, md5 in listing.items())
        if not whole:
            shutil.rmtree(self.folder, ignore_errors=True)
            return 0
        self._sent = dict(listing)
        return len(listing)

    def keep(self) -> None:
        """Send what has changed.

        Raises:
            PassingFaultError: the remote does not answer.
        """
        if self.store is None:
            return
        with self._lock:
            listing = {path: md5 for path in self._files() if (md5 := self._hash(path)) is not None}
            if listing == self._sent:
                return
            fresh = {md5: path for path, md5 in listing.items() if md5 not in self._sent.values()}
            self.store.files.put([(str(self.folder / path), f"{self._prefix}/{md5}") for md5, path in fresh.items()])
            self.store.write_text(f"{self._prefix}/manifest.json", json.dumps(listing, sort_keys=True))
            old = set(self._sent.values()) - set(listing.values())
            self._sent = listing
            self.store.files.remove([f"{self._prefix}/{md5}" for md5 in sorted(old)])

    def drop(self) -> None:
        """The work is done: nothing is kept."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.store is not None and self._sent:
            with contextlib.suppress(SwathError):  # it costs space, no more
                self.store.files.remove([f"{self._prefix}/manifest.json"])
                self.store.files.remove([f"{self._prefix}/{md5}" for md5 in sorted(set(self._sent.values()))])

    @contextlib.contextmanager
    def kept_at_times(self, every_s: float = _EVERY_S) -> Iterator[None]:
        """Within the block, send it now and then."""
        done = threading.Event()

        def keep() -> None:
            while not done.wait(every_s):
                with contextlib.suppress(SwathError, OSError):  # the next time, or the end, tries again
                    self.keep()

        thread = threading.Thread(target=keep, daemon=True)
        if self.store is not None:
            thread.start()
        try:
            yield
        finally:
            done.set()
            if thread.is_alive():
                thread.join()

    def _files(self) -> Iterator[str]:
        for folder, _, names in os.walk(self.folder):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    yield os.path.relpath(path, self.folder)

    def _hash(self, path: str) -> str | None:
        """A file's hash; None while it is being written."""
        full = self.folder / path
        with contextlib.suppress(OSError):
            before = full.stat()
            value = hash_file(str(full))
            after = full.stat()
            if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                return value
        return None


def _listing(text: str | None) -> dict[str, str]:
    """Path to hash; empty when there is none, or it leads out of the folder."""
    try:
        listing: Any = json.loads(text or "{}")
    except ValueError:
        return {}
    good = isinstance(listing, dict) and all(
        isinstance(md5, str) and not os.path.isabs(path) and ".." not in Path(path).parts
        for path, md5 in listing.items()
    )
    return listing if good else {}
