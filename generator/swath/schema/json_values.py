"""Values of dvc.lock in JSON and back, nothing lost.

A lock is YAML: a mapping's keys may be numbers (`names: {0: cat}`), true, null or dates, and a value may be NaN, a date
or a number of any length. JSON has only text for keys and fewer values. What JSON has stays as it is; what it lacks
becomes a mapping with one key that begins with a dollar sign:

    {0: cat, x: dog}   {"$map": [[0, "cat"], ["x", "dog"]]}
    .nan               {"$float": "nan"}
    2**64              {"$int": "18446744073709551616"}
    2020-01-01         {"$date": "2020-01-01"}
    !!binary aGk=      {"$bytes": "aGk="}
    !!set {a}          {"$set": ["a"]}

A mapping whose one key is such a word itself is written as a `$map`. Used for the journal, fragments and `--json`.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from typing import TYPE_CHECKING, Any, Final

from swath.schema.one_nan import with_one_nan

if TYPE_CHECKING:
    from collections.abc import Callable

    from swath.model.stage import JSONValue

_LARGEST: Final = 2**63  # readers in other languages, and msgspec, have 64 bits


def to_json(value: Any) -> JSONValue:
    """`value` with nothing in it that JSON lacks; what no lock can hold becomes its text."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value) if -_LARGEST <= value < _LARGEST else {"$int": str(int(value))}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return _mapping_to_json(value)
    return _rare_to_json(value)


def _mapping_to_json(value: dict[Any, Any]) -> JSONValue:
    if all(isinstance(key, str) for key in value) and not (len(value) == 1 and next(iter(value)) in _READERS):
        return {key: to_json(item) for key, item in value.items()}
    return {"$map": [[to_json(key), to_json(item)] for key, item in value.items()]}


def _rare_to_json(value: Any) -> JSONValue:
    if isinstance(value, dt.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, set | frozenset):
        return {"$set": [to_json(item) for item in value]}
    return str(value)


def from_json(value: Any) -> Any:
    """The value that `to_json` was given; tuples come back as lists.

    Raises:
        ValueError: what follows a word with a dollar sign is not of its form.
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        word, content = next(iter(value.items()))
        if word in _READERS:
            try:
                return _READERS[word](content)
            except (TypeError, AttributeError) as error:
                raise ValueError(f"{word}: {error}") from error
    return {key: from_json(item) for key, item in value.items()}


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "$map": lambda pairs: {from_json(key): from_json(item) for key, item in pairs},
    "$int": int,
    "$float": lambda text: with_one_nan(float(text)),
    "$date": dt.date.fromisoformat,
    "$datetime": dt.datetime.fromisoformat,
    "$bytes": base64.b64decode,
    "$set": lambda items: {from_json(item) for item in items},
}
