"""GitLab's published schema of CI files, as check-jsonschema ships it: what it says against a document.

Hundreds of jobs of one shape are judged by one of them: the schema sees no difference between them, and takes seconds.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema.protocols import Validator

    from swath.model.stage import JSONValue

_FILE: Final = "builtin_schemas/vendor/gitlab-ci.json"
# Keys whose texts are free: two jobs that differ in them only have one shape.
_FREE: Final = frozenset({"script", "stage", "job", "name", "alias", "resource_group", "timeout", "tags", "variables"})
_TOP: Final = frozenset({"workflow", "stages", "variables"})


def schema_findings(document: Mapping[str, JSONValue]) -> tuple[str, ...]:
    """What the schema says against the document: `job: key: message`; empty: nothing."""
    found = sorted(_validator().iter_errors(_representatives(document)), key=lambda error: list(map(str, error.path)))
    return tuple(f"{': '.join(map(str, error.path)) or 'the file'}: {_short(error.message)}" for error in found)


@cache
def _validator() -> Validator:
    from jsonschema import Draft7Validator

    spec = find_spec("check_jsonschema")  # its import brings a whole command line
    if spec is None or spec.origin is None:
        raise RuntimeError("check-jsonschema is not installed, although it is a dependency")
    schema = json.loads((Path(spec.origin).parent / _FILE).read_text(encoding="utf-8"))
    return Draft7Validator(schema)


def _representatives(document: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    """The document with one job of each shape."""
    shapes: dict[str, str] = {}
    return {
        key: value
        for key, value in document.items()
        if key in _TOP or shapes.setdefault(json.dumps(_shape(value), sort_keys=True), key) == key
    }


def _shape(value: JSONValue, *, free: bool = False) -> Any:
    if isinstance(value, dict):
        return {key: _shape(item, free=free or key in _FREE) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return sorted({json.dumps(_shape(item, free=free), sort_keys=True) for item in value})
    if isinstance(value, str) and free:
        return "text" if value else ""
    return value


def _short(message: str) -> str:
    return message if len(message) <= 300 else message[:300] + " …"
