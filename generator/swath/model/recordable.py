"""Parameters that dvc.lock can hold: DVC fails on others only when it has run the stage, or with a traceback.

What a stage with outputs and inputs reads goes through JSON too (the key of DVC's run cache): there, dates, sets and
binary data cannot be, and the keys of a mapping must be sortable.

Source: DVC 3.67.1 `stage/cache.py: _get_cache_hash`, `utils/__init__.py: dict_sha256`, read 2026-11-28.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from swath.errors import Place, UserError
from swath.model.lock_entry import can_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from swath.model.stage import JSONValue, ParamsRead, Stage

_KINDS: Final = {
    "date": "a date", "datetime": "a date with a time", "time": "a time", "set": "a set", "bytes": "binary data",
    "tuple": "a list", "complex": "a complex number",
}  # fmt: skip
_IN_LOCK: Final = (dt.date, bytes, set)  # a datetime is a date
_HINT: Final = "put it in quotes; allowed are text, numbers, true, false, null, lists and mappings"
_KEY_HINT: Final = "put quotes around all keys of this mapping, or around none"


def check_recordable(stage: Stage, read: ParamsRead, values: Mapping[Any, JSONValue]) -> None:
    """See that DVC could record the parameters that a stage reads from one file.

    Raises:
        UserError: it could not, with the file and the key.
    """
    for key in values:
        if not isinstance(key, str):
            message = f"the top-level key {key!r} is no text: DVC cannot record it"
            raise UserError(message, place=Place(read.path), hint="put it in quotes")
    hashed = can_hash(stage)
    for key, value in values.items():
        for path, message, hint in _faults(value, str(key), hashed=hashed):
            raise UserError(f"{message}: DVC cannot record it", place=Place(read.path, key=path), hint=hint)


def _faults(value: Any, path: str, *, hashed: bool) -> Iterator[tuple[str, str, str]]:
    """Where inside a value something is that cannot be recorded, what, and what to do."""
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            yield path, "half a character", "write the whole character"
    elif value is None or isinstance(value, bool | int | float):
        return
    elif isinstance(value, dict):
        yield from _key_faults(value, path, hashed=hashed)
        for key, item in value.items():
            yield from _faults(item, f"{path}.{key}", hashed=hashed)
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _faults(item, f"{path}[{position}]", hashed=hashed)
    elif hashed or not isinstance(value, _IN_LOCK):
        yield path, _KINDS.get(type(value).__name__, type(value).__name__), _HINT


def _key_faults(value: Mapping[Any, object], path: str, *, hashed: bool) -> Iterator[tuple[str, str, str]]:
    for key in value:
        known = key is None or isinstance(key, str | bool | int | float)
        if not known and (hashed or not isinstance(key, dt.date | bytes)):
            yield f"{path}.{key}", f"a key that is {_KINDS.get(type(key).__name__, type(key).__name__)}", _HINT
            return
    if hashed and not _sortable(value):
        yield path, "keys of several kinds", _KEY_HINT


def _sortable(value: Mapping[Any, object]) -> bool:
    try:
        sorted(value)
    except TypeError:
        return False
    return True
