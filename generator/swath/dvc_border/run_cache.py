"""DVC's run cache: results by their inputs, at ``<cache>/runs/<2 hex>/<key>/<entry hash>``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from swath.errors import UserError
from swath.model.lock_entry import form_fault
from swath.schema import yaml12
from swath.schema.lock_text import render_run_cache_entry

if TYPE_CHECKING:
    from swath.dvc_border.cache import Cache
    from swath.model.lock_entry import LockEntry


class RunCache:
    """The run cache of one repository's local cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._folder = os.path.join(cache.folder, "runs")

    def load(self, key: str) -> LockEntry | None:
        """The newest entry for a key, as DVC takes it; None when there is none, or it is broken."""
        folder = os.path.join(self._folder, key[:2], key)
        try:
            names = [name for name in os.listdir(folder) if not name.endswith(".tmp")]
            newest = max(names, key=lambda name: (os.stat(os.path.join(folder, name)).st_mtime, name), default=None)
            if newest is None:
                return None
            with open(os.path.join(folder, newest), encoding="utf-8") as file:
                entry = yaml12.parse(file.read(), newest)
        except (OSError, UnicodeDecodeError, UserError):
            return None
        return dict(entry) if isinstance(entry, dict) and not form_fault(entry) else None

    def save(self, key: str, name: str, entry: LockEntry) -> None:
        """Write an entry, unless it is there."""
        folder = os.path.join(self._folder, key[:2], key)
        path = os.path.join(folder, name)
        if not self._cache.make_folder(folder) and os.path.exists(path):
            return
        temporary = f"{path}.{os.urandom(8).hex()}.tmp"
        with open(temporary, "wb", buffering=0) as file:
            file.write(render_run_cache_entry(entry).encode())
        os.replace(temporary, path)
