"""SWATH_SCRATCH of a job's stages: kept for the next attempt, wherever that one runs.

    <runner's cache>/swath/scratch/<key>/…          on a runner whose cache its jobs share
    <remote>/swath/scratch/<key>/                   else: sent when the stage fails, and now and then while it runs
        <md5>                                       a file
        manifest.json                               the newest generation: path -> md5
        before.json                                 the one before it

The key is that of the work (command, parameters, hashes of the inputs), so a checkpoint is never taken for other work.
What is sent is a snapshot, hashed as it is sent. A manifest is written after its files, and the files of the generation
before stay. So a job that is killed at any moment leaves a whole one. All goes after a success.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from swath.dvc_border.content import hash_file
from swath.errors import SwathError
from swath.execute.scratch import scratch_path
from swath.files.removal import remove
from swath.job.snapshot import Snapshots, files_below
from swath.schema.folder_listing import is_path_inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from swath.dvc_border.remote_store import RemoteStore
    from swath.job.snapshot import Taken
    from swath.model.stage import Stage

SCRATCH: Final = "swath/scratch"
_NEWEST: Final = "manifest.json"
_BEFORE: Final = "before.json"
_EVERY_S: Final = 60.0
_SHARE: Final = 10  # at most a tenth of the time is spent on sending
_MD5: Final = re.compile(r"[0-9a-f]{32}")
_ROUNDS: Final = 3  # a file that is written in place is copied from the second on


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
    _before: dict[str, str] = field(default_factory=dict)
    _is_there: bool = False
    _snapshots: Snapshots = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._snapshots = Snapshots(self.folder)

    def of_command(self, stage: Stage, words: Sequence[str]) -> Path:
        """The folder of one command; made."""
        folder = self.folder / scratch_path(self.root, stage.wdir, words).name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _at(self, name: str) -> str:
        return f"{SCRATCH}/{self.key}/{name}"

    def fetch(self) -> int:
        """Bring back the newest whole generation that an attempt before left; how many files that is.

        Raises:
            PassingFaultError: the remote does not answer.
        """
        if self.store is None:
            return sum(1 for _ in files_below(self.folder))
        _remove(self.folder)
        for name in (_NEWEST, _BEFORE):
            text = self.store.read_text(self._at(name))
            listing = read_listing(text)
            self._is_there = self._is_there or text is not None
            if listing is not None and self._bring(self.store, listing):
                self._sent = listing
                return len(listing)
        return 0

    def _bring(self, store: RemoteStore, listing: Mapping[str, str]) -> bool:
        """Put a generation into the folder; when it is not whole, the folder is left empty."""
        _remove(self.folder)
        targets = {path: self.folder / path for path in listing}
        try:
            for target in targets.values():
                target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):  # `a` and `a/b`
            _remove(self.folder)
            return False
        there = store.files.get([(self._at(md5), str(targets[path])) for path, md5 in listing.items()])
        if all(there) and all(hash_file(str(targets[path])) == md5 for path, md5 in listing.items()):
            return True
        _remove(self.folder)
        return False

    def keep(self, stop: threading.Event | None = None) -> None:
        """Send what has changed, as a new generation.

        Args:
            stop: set it to give up; the generation that is there stays.

        Raises:
            PassingFaultError: the remote does not answer.
            InterruptedRunError: `stop` was set.
            OSError: this machine has no space for a copy.
        """
        if self.store is None:
            return
        with self._lock:
            for _ in range(_ROUNDS):
                if self._send(self.store, stop):
                    return

    def _send(self, store: RemoteStore, stop: threading.Event | None) -> bool:
        """Try once; whether it is done. Else a file was written in place while it was sent."""
        with self._snapshot(stop) as taken:
            listing = self._listing(taken)
            if listing == self._sent:
                return True
            self._is_there = True
            known = {*self._sent.values(), *self._before.values()}
            fresh = {each.md5: each.place for each in taken if each.place and each.md5 not in known}
            store.files.put([(place, self._at(md5)) for md5, place in fresh.items()], stop)
            changed = {each.path for each in taken if each.place and each.has_changed}
        if changed:
            self._snapshots.written_in_place |= changed
            return False
        if self._sent:
            store.files.write(self._at(_BEFORE), _text(self._sent), stop)
        store.files.write(self._at(_NEWEST), _text(listing), stop)
        old = known - set(listing.values()) - set(self._sent.values())
        self._before, self._sent = self._sent, listing
        store.files.remove([self._at(md5) for md5 in sorted(old)], stop)
        return True

    def _listing(self, taken: Sequence[Taken]) -> dict[str, str]:
        """The new generation; of a file that was being written all the time it has what was sent before."""
        found = {each.path: each.md5 or self._sent.get(each.path, "") for each in taken}
        return {path: md5 for path, md5 in found.items() if md5}

    @contextlib.contextmanager
    def _snapshot(self, stop: threading.Event | None) -> Iterator[list[Taken]]:
        place = self.folder.with_name(f"{self.folder.name}.sent")
        _remove(place)
        place.mkdir(parents=True)
        try:
            yield self._snapshots.take(place, stop)
        finally:
            _remove(place)

    def drop(self) -> None:
        """The work is done: nothing is kept."""
        _remove(self.folder)
        if self.store is None or not self._is_there:
            return
        with contextlib.suppress(SwathError):  # it costs space until the next `swath gc`, no more
            files = self.store.files
            files.remove([self._at(_NEWEST), self._at(_BEFORE)])
            known = {*self._sent.values(), *self._before.values()}
            if not files.protocol.startswith("http"):  # a plain web server lists nothing
                known.update(files.names([f"{SCRATCH}/{self.key}"])[0])
            files.remove([self._at(name) for name in sorted(known)])

    @contextlib.contextmanager
    def kept_at_times(self, every_s: float = _EVERY_S) -> Iterator[None]:
        """Within the block, send it now and then; what is being sent at its end is given up."""
        done = threading.Event()

        def keep() -> None:
            pause_s = every_s
            while not done.wait(pause_s):
                start = time.monotonic()
                with contextlib.suppress(SwathError, OSError):  # the next time, or the end, tries again
                    self.keep(done)
                pause_s = max(every_s, _SHARE * (time.monotonic() - start))

        thread = threading.Thread(target=keep, daemon=True)
        if self.store is not None:
            thread.start()
        try:
            yield
        finally:
            done.set()
            if thread.is_alive():
                thread.join()


def _remove(folder: Path) -> None:
    """Remove a folder, whatever a service has made in it; what cannot be removed costs space, no more."""
    with contextlib.suppress(OSError):
        remove(folder)


def _text(listing: Mapping[str, str]) -> bytes:
    return json.dumps(listing, sort_keys=True).encode()


def read_listing(text: str | None) -> dict[str, str] | None:
    """A generation: path to hash; None when there is none, or it is not one of ours: it comes from the remote."""
    try:
        listing: Any = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    good = isinstance(listing, dict) and all(
        isinstance(md5, str) and _MD5.fullmatch(md5) and is_path_inside(path) for path, md5 in listing.items()
    )
    return listing if good else None
