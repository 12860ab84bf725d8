"""Entries of dvc.lock as data: their parts, what identifies them, and their keys in the run cache. No I/O.

Source: DVC 3.67.1 `stage/cache.py: _can_hash, _get_cache_hash`, `utils/__init__.py: dict_sha256`, read 2026-11-22.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, NamedTuple

from swath.model.stage import JSONValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.stage import Stage

Item = dict[str, JSONValue]
LockEntry = dict[str, JSONValue]
# What a lock item says beside which data it means.
_NOT_IDENTITY: Final = frozenset({"path", "size", "nfiles", "isexec"})


class FormFault(NamedTuple):
    """Why something is no lock entry: the reason, and the keys of the place in it."""

    text: str
    keys: tuple[str | int, ...] = ()


def form_fault(entry: object) -> FormFault | None:
    """Why something that was read is no lock entry, as DVC's schema has it; None: it is one.

    Whoever writes a lock by hand, or into a remote, may write anything.
    """
    if not isinstance(entry, dict) or "cmd" not in entry:
        return FormFault("no cmd")
    if not isinstance(entry["cmd"], str | list):
        return FormFault("its cmd is no text")
    for section in ("deps", "outs"):
        items = entry.get(section, [])
        if not isinstance(items, list):
            return FormFault(f"its {section} are no list")
        for position, item in enumerate(items):
            if not isinstance(item, dict) or not isinstance(item.get("path"), str):
                return FormFault(f"one of its {section} has no path", (section, position))
    params = entry.get("params", {})
    if not isinstance(params, dict) or not all(isinstance(values, dict) for values in params.values()):
        return FormFault("its params are no mapping of files to values")
    return None


def can_hash(stage: Stage) -> bool:
    """Whether DVC's run cache is for this stage at all."""
    if stage.always_changed or not (stage.deps or stage.params) or not stage.outs:
        return False
    if any("://" in dep.path for dep in stage.deps):
        return False
    return not any(out.persist or "://" in out.path or out.path.startswith("/") for out in stage.outs)


def fills_run_cache(stage: Stage) -> bool:
    """Whether DVC saves this stage's results there: not when an output outside the cache is no metric or plot."""
    return can_hash(stage) and all(out.cache or out.kind != "outs" for out in stage.outs)


def run_cache_key(stage: Stage, inputs: LockEntry) -> str:
    """The key of the run cache for these inputs.

    Args:
        inputs: a lock entry; its outs do not count.
    """
    document = {key: value for key, value in inputs.items() if key != "outs"}
    document["outs"] = sorted(out.text for out in stage.outs)
    return entry_hash(document)


def entry_hash(document: LockEntry) -> str:
    """SHA-256 over the JSON of an entry without sizes and file counts: the name of its file in the run cache."""
    return hashlib.sha256(json.dumps(_without_sizes(document), sort_keys=True).encode()).hexdigest()


def _without_sizes(value: JSONValue) -> JSONValue:
    if isinstance(value, dict):
        return {key: _without_sizes(item) for key, item in value.items() if key not in {"size", "nfiles"}}
    return [_without_sizes(item) for item in value] if isinstance(value, list | tuple) else value


def items_by_path(entry: Mapping[str, JSONValue], section: str) -> dict[str, Item]:
    """The deps or outs of a lock entry, by their path in the lock."""
    items = entry.get(section)
    return {str(item["path"]): item for item in items if isinstance(item, dict)} if isinstance(items, list) else {}


def identity(item: Item | None) -> Item | None:
    """What of a lock item says which data it means."""
    return None if item is None else {key: value for key, value in item.items() if key not in _NOT_IDENTITY}
