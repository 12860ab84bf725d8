"""What a lock, a `.dvc` file, a fragment or an entry of the run cache names: pure.

Whatever looks like a hash counts, wherever it stands in the document: one that is kept without need costs space, the
opposite costs data. So DVC's older forms, and those to come, need no reader of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from swath.model.lock_entry import LockEntry, entry_hash, items_by_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.model.stage import JSONValue

_VALUE: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?:\.dir)?(?![0-9a-f])")


@dataclass(slots=True)
class References:
    """What must stay.

    Attributes:
        values: hashes of objects; a folder's ends in ``.dir``.
        entries: names of entries of the run cache.
        keys: keys of the run cache: entries below them stay when all that they name stays.
    """

    values: set[str] = field(default_factory=set)
    entries: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)

    def add_document(self, document: JSONValue) -> None:
        """Add what a document names."""
        for text in _texts(document):
            self.values.update(_VALUE.findall(text))
        self.add_entries(document)

    def add_entries(self, document: JSONValue) -> None:
        """Add the entries of the run cache that a document names, without the objects."""
        for entry in _entries(document):
            try:
                self.entries.add(entry_hash(entry))
                self.keys.add(_key(entry))
            except TypeError:  # keys of several types have no order: the run cache never got it
                continue

    def add_text(self, text: str) -> None:
        """Add what a text names that nobody can parse."""
        self.values.update(_VALUE.findall(text))

    def copy(self) -> References:
        """One that can grow without this one."""
        return References(set(self.values), set(self.entries), set(self.keys))

    @property
    def folders(self) -> set[str]:
        """Hashes of folders."""
        return {value for value in self.values if value.endswith(".dir")}


def _key(entry: LockEntry) -> str:
    """The run cache's key; a lock has the paths of outputs as its stage writes them."""
    inputs: LockEntry = {name: value for name, value in entry.items() if name != "outs"}
    return entry_hash({**inputs, "outs": sorted(items_by_path(entry, "outs"))})


def _texts(value: JSONValue) -> Iterator[str]:
    for each in _parts(value):
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from (name for name in each if isinstance(name, str))


def _entries(value: JSONValue) -> Iterator[LockEntry]:
    """Each part that has the form of a lock entry."""
    return (each for each in _parts(value) if isinstance(each, dict) and "cmd" in each and "outs" in each)


def _parts(value: JSONValue) -> Iterator[JSONValue]:
    """A value and all that is in it; what stands there more than once, by an anchor of YAML, comes once."""
    waiting, seen = [value], set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict | list | tuple):
            if id(each) in seen:
                continue
            seen.add(id(each))
            waiting.extend(each.values() if isinstance(each, dict) else each)
        yield each
