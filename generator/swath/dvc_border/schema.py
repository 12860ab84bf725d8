"""Is a dvc.yaml of DVC's shape: a quick look first, DVC's own schema when the look finds anything unusual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.errors import Finding
from swath.model.suggestion import did_you_mean

if TYPE_CHECKING:
    from swath.model.stage import JSONValue
    from swath.schema.yaml12 import Document

_TOP: Final = frozenset({"stages", "vars", "params", "metrics", "plots", "artifacts", "datasets"})
_STAGE: Final = {
    "cmd": str | list,
    "wdir": str,
    "deps": list,
    "params": list,
    "outs": list,
    "metrics": list,
    "plots": list,
    "frozen": bool,
    "always_changed": bool,
    "desc": str,
    "meta": object,
    "vars": list,
    "matrix": dict,
}


def check(value: JSONValue, document: Document) -> list[Finding]:
    """What is wrong with the shape of a dvc.yaml.

    Returns:
        Findings with file, line and key; empty when DVC would take it.
    """
    if _is_usual(value):
        return []
    from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA
    from voluptuous import MultipleInvalid

    try:
        COMPILED_MULTI_STAGE_SCHEMA(value)
    except MultipleInvalid as error:
        return [_finding(each, document) for each in error.errors]
    return []


def _is_usual(value: JSONValue) -> bool:
    if not isinstance(value, dict) or not value.keys() <= _TOP or (value.keys() - {"stages", "vars"}):
        return False
    stages = value.get("stages", {})
    return isinstance(stages, dict) and all(isinstance(name, str) and _is_usual_stage(s) for name, s in stages.items())


def _is_usual_stage(definition: JSONValue) -> bool:
    if not isinstance(definition, dict):
        return False
    if "foreach" in definition:
        inner = definition.get("do")
        return definition.keys() == {"foreach", "do"} and isinstance(inner, dict) and "matrix" not in inner and _is_usual_stage(inner)
    if "cmd" not in definition or "matrix" in definition or "plots" in definition:
        return False
    return all(
        key in _STAGE and isinstance(item, _STAGE[key]) and (not isinstance(item, list) or _is_usual_list(key, item))
        for key, item in definition.items()
    )


def _is_usual_list(key: str, items: list[JSONValue]) -> bool:
    return all(isinstance(item, str) for item in items) and key != "cmd"


def _finding(error: object, document: Document) -> Finding:
    path = [step for step in getattr(error, "path", []) if isinstance(step, str | int)]
    message = getattr(error, "msg", str(error))
    key = path[-1] if path else ""
    hint = "see the dvc.yaml reference of DVC"
    if message == "extra keys not allowed":
        known = sorted(_STAGE | {"foreach": 0, "do": 0}) if len(path) > 1 else sorted(_TOP)
        message, hint = f"unknown key {key!r}", did_you_mean(str(key), known) or f"known keys: {', '.join(known)}"
    elif message == "required key not provided":
        message, hint = f"the key {key!r} is missing", "add it"
        path = path[:-1]
    return Finding(document.place(*path), "schema", message, hint)
