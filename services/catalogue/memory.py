"""Checksums and facts of files, remembered between calls, so that an unchanged archive is not read again.

They lie in the user's cache folder, one file for each archive, and never in the archive or the result. A file counts as
unchanged while its size, number and times are; one written in the last seconds is not remembered, since it may change
again within the resolution of the clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

RACY_S = 2.0


class Memory:
    """What is known of an archive's files from earlier calls."""

    def __init__(self, root: Path) -> None:
        name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:24]
        self._path = cache_folder() / "catalogue" / f"{name}.json"
        self._program = program_digest()
        self._now: dict[str, dict[str, Any]] = {}
        self._before: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
            known = json.loads(self._path.read_text(encoding="utf-8"))
            if known["program"] == self._program:
                self._before = dict(known["files"])

    def recall(self, path: Path, what: str, measure: Callable[[Path], Any]) -> Any:
        """What `measure` gives for a file, from memory where the file has not changed; it must be JSON."""
        state = path.stat()
        stamp = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        key = str(path)
        entry = self._now.get(key) or self._before.get(key)
        if not isinstance(entry, dict) or entry.get("stamp") != stamp:
            entry = {"stamp": stamp}
        if what not in entry:
            entry[what] = measure(path)
        self._now[key] = entry
        return entry[what]

    def digest(self, path: Path) -> str:
        """SHA-256 of a file, in hexadecimal."""
        return str(self.recall(path, "sha256", sha256_of))

    def save(self) -> None:
        """Remember for the next call; a cache folder that cannot be written is no error."""
        settled = (time.time() - RACY_S) * 1e9
        files = {key: entry for key, entry in self._now.items() if max(entry["stamp"][1:3]) < settled}
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"program": self._program, "files": files}), encoding="utf-8")
            part.replace(self._path)


def cache_folder() -> Path:
    """Swath's folder in the user's cache."""
    own = os.environ.get("SWATH_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(own) if own else Path(base) / "swath"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def program_digest() -> str:
    """What this program is: facts that another version found are not used."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).resolve().parent.glob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()
