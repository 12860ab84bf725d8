"""What finished in a run, written down at once, so that kill -9 loses no finished stage.

An append-only file in `.dvc/tmp/swath`, a JSON line a stage. Whoever opens the repository next reads it on top of
dvc.lock; once its entries stand in dvc.lock it is emptied. A last line that was cut off is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING, Final

from swath.schema.json_values import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from swath.model.lock_entry import LockEntry
    from swath.model.stage import Stage

_VERSION: Final = 1
_KEYS: Final = frozenset({"file", "key", "entry"})
FileEntries = dict[str, dict[str, "LockEntry"]]


class Journal:
    """The journal of one repository; one process writes it at a time (it holds the run lock). Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.jsonl"
        self._fd = -1
        self._lock = threading.Lock()  # nothing is appended between the last look of `drop` and the emptying

    def read(self) -> FileEntries:
        """Entries that dvc.lock does not have yet: by dvc.yaml, by stage key."""
        entries: FileEntries = {}
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        for line in filter(None, lines):
            try:
                record = json.loads(line)
                entry = from_json(record["entry"]) if _is_ours(record) else None
                if isinstance(entry, dict):
                    entries.setdefault(record["file"], {})[record["key"]] = entry
            except (ValueError, RecursionError):
                continue
        return entries

    def pending(self, locks: Mapping[str, Mapping[str, LockEntry]], written_ns: Mapping[str, int]) -> FileEntries:
        """As `read`, less what somebody has written into a lock since: after a kill, `dvc repro` may have gone on.

        Args:
            locks: the entries of the locks, by dvc.yaml.
            written_ns: when each lock was written, by dvc.yaml.
        """
        try:
            own_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        entries = self.read()
        for file, kept in entries.items():
            if written_ns.get(file, 0) > own_ns:
                for key in kept.keys() & locks.get(file, {}).keys():
                    del kept[key]
        return entries

    def append(self, stage: Stage, entry: LockEntry) -> None:
        """Write down that a stage is done; on return a kill of this process loses nothing.

        Raises:
            OSError: it cannot be written, such as for lack of space.
        """
        record = {"version": _VERSION, "file": stage.file, "key": stage.key, "entry": to_json(entry)}
        line = b"\n" + json.dumps(record).encode() + b"\n"
        with self._lock:
            if self._fd < 0:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            while line:  # a disk that is nearly full takes a part, and tells only at the next call
                line = line[os.write(self._fd, line) :]

    def drop(self, written: FileEntries) -> None:
        """Take out entries that stand in dvc.lock now; what came since stays."""
        with self._lock:
            left = self.read()
            for file, entries in written.items():
                for key, entry in entries.items():
                    if left.get(file, {}).get(key) == entry:
                        del left[file][key]
            if not any(left.values()):
                with contextlib.suppress(FileNotFoundError):
                    os.truncate(self._path, 0)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _is_ours(record: object) -> bool:
    """Whether a line has the form that we write: services can write into the folder as well."""
    if not isinstance(record, dict) or record.get("version") != _VERSION or not record.keys() >= _KEYS:
        return False
    return isinstance(record["file"], str) and isinstance(record["key"], str)
