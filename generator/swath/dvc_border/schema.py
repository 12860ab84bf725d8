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

_OUTPUT: Final = ("cache", "desc", "labels", "meta", "persist", "push", "remote", "type")
_STAGE_KEY_DEPTH: Final = 4  # stages, name, do, key
_REFERENCE: Final = "see the dvc.yaml reference of DVC"
_WORDS: Final = {
    "a dictionary": "a mapping", "dict": "a mapping", "str": "text", "bool": "true or false", "int": "a number",
}  # fmt: skip


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
        return (
            definition.keys() == {"foreach", "do"}
            and isinstance(inner, dict)
            and "matrix" not in inner
            and _is_usual_stage(inner)
        )
    if "cmd" not in definition or "matrix" in definition or "plots" in definition:
        return False
    return all(
        key in _STAGE and isinstance(item, _STAGE[key]) and (not isinstance(item, list) or _is_usual_list(key, item))
        for key, item in definition.items()
    )


def _is_usual_list(key: str, items: list[JSONValue]) -> bool:
    return all(isinstance(item, str) for item in items) and key != "cmd"


def _finding(error: object, document: Document) -> Finding:
    path: list[str | int] = [step if isinstance(step, int) else str(step) for step in getattr(error, "path", [])]
    message = getattr(error, "msg", str(error))
    key = path[-1] if path else ""
    if message == "extra keys not allowed":
        known = _known_keys(path)
        hint = did_you_mean(str(key), known) or f"known keys: {', '.join(known)}"
        if key == "matrix":
            hint = "a stage has either foreach or matrix"
        return Finding(document.place(*path), "schema", f"unknown key {key!r}", hint)
    if message == "required key not provided":
        return Finding(document.place(*path[:-1]), "schema", f"the key {key!r} is missing", "add it")
    for word, plain in _WORDS.items():
        message = message.replace(word, plain)
    value = _value_at(document.value, path)
    if message == "expected text" and isinstance(key, int) and isinstance(_value_at(document.value, path[:-1]), dict):
        return Finding(document.place(*path[:-1], str(key)), "schema", f"the key {key} is no text", "put it in quotes")
    found = _plain_type(value)
    hint = "put it in quotes" if message == "expected text" and found in {"a date", "a number"} else _REFERENCE
    return Finding(document.place(*path), "schema", f"{message}, found {found}", hint)


def _known_keys(path: list[str | int]) -> list[str]:
    if len(path) == 1:
        return sorted(_TOP)
    if any(section in path[2:-1] for section in ("outs", "metrics", "plots")) and path[0] == "stages":
        return sorted(_OUTPUT)
    known = _STAGE | {"foreach": 0, "do": 0}
    return sorted(known) if path[0] == "stages" and len(path) <= _STAGE_KEY_DEPTH else []


def _value_at(value: JSONValue, path: list[str | int]) -> JSONValue:
    for step in path:
        if isinstance(value, dict):
            value = next((item for key, item in value.items() if str(key) == str(step)), None)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
    return value


def _plain_type(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    if value is None:
        return "nothing"
    return names.get(type(value), "a date" if hasattr(value, "isoformat") else type(value).__name__)
