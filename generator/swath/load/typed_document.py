"""Check a YAML document against a msgspec struct, and find all that is wrong with it at once.

msgspec stops at the first error. Here the good case is msgspec's own, in one step; only when it fails is the document
walked field by field, so that each finding has its line and its key. Used for service.yaml and swath.yaml.
"""

from __future__ import annotations

import re
import types
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from swath.errors import Finding
from swath.model.suggestion import did_you_mean, one_of
from swath.model.units import decode_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from swath.schema.yaml12 import Document

T = TypeVar("T", bound=msgspec.Struct)
Path = tuple[str | int, ...]

_PLAIN: Final = {
    "`int`": "a whole number", "`float`": "a number", "`str`": "text", "`bool`": "true or false", "`null`": "nothing",
    "`array`": "a list", "`object`": "a mapping", "`datetime`": "a date", "`date`": "a date",
}  # fmt: skip


def decode(document: Document, kind: type[T]) -> tuple[T | None, tuple[Finding, ...]]:
    """The document as a struct, or all findings.

    Args:
        document: what was read.
        kind: the struct; nested structs, lists and mappings of them are walked too.

    Returns:
        The value and no findings, or None and at least one, in the order of the file.
    """
    try:
        return msgspec.convert(document.value, kind, dec_hook=decode_quantity), ()
    except msgspec.ValidationError as error:
        findings = sorted(_findings(document, document.value, kind, ()))
        return None, tuple(findings) or (Finding(document.place(), "value", _plain(error)),)


def _findings(document: Document, value: object, kind: object, path: Path) -> Iterator[Finding]:
    """What is wrong with `value`, which should be of type `kind`; structs inside are walked."""
    struct = _struct(kind)
    origin = get_origin(_bare(kind))
    if struct and isinstance(value, dict):
        yield from _field_findings(document, value, struct, path)
    elif origin is list and _struct(get_args(_bare(kind))[0]) and isinstance(value, list):
        inner = [
            finding
            for position, item in enumerate(value)
            for finding in _findings(document, item, get_args(_bare(kind))[0], (*path, position))
        ]
        yield from inner or _leaf_findings(document, value, kind, path)  # it may be too short
    elif origin is dict and _struct(get_args(_bare(kind))[1]) and isinstance(value, dict):
        for key, item in value.items():
            yield from _findings(document, item, get_args(_bare(kind))[1], (*path, key))
    else:
        yield from _leaf_findings(document, value, kind, path)


def _field_findings(
    document: Document, value: Mapping[str, object], struct: type[msgspec.Struct], path: Path
) -> Iterator[Finding]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for key in value:
        if key not in fields:
            hint = did_you_mean(str(key), fields) or one_of(fields)
            yield Finding(document.place(*path, key), "unknown-key", f"unknown key '{key}'", hint)
        else:
            yield from _findings(document, value[key], fields[key].type, (*path, key))
    for name, field in fields.items():
        if field.required and name not in value:
            yield Finding(document.place(*path), "missing-key", f"the key '{name}' is missing")


def _leaf_findings(document: Document, value: object, kind: object, path: Path) -> Iterator[Finding]:
    try:
        msgspec.convert(value, kind, dec_hook=decode_quantity)
    except msgspec.ValidationError as error:
        inner = _inner_path(str(error))
        choices = [str(choice) for choice in get_args(_bare(kind))] if get_origin(_bare(kind)) is Literal else []
        hint = (did_you_mean(str(value), choices) or one_of(choices)) if choices else ""
        message = f"{value!r} is not allowed here" if choices else _plain(error)
        if message.startswith("expected text, got a "):
            hint = "put it in quotes: YAML reads it as something else without"
        yield Finding(document.place(*path, *inner), "value", message, hint)


def _bare(kind: object) -> object:
    """The type without `Annotated` and without the None of an optional one."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in {Union, types.UnionType}:
        others = [member for member in get_args(kind) if member is not type(None)]
        return _bare(others[0]) if len(others) == 1 else kind
    return kind


def _struct(kind: object) -> type[msgspec.Struct] | None:
    bare = _bare(kind)
    return bare if isinstance(bare, type) and issubclass(bare, msgspec.Struct) else None


def _inner_path(message: str) -> Path:
    """The position inside a list or mapping that msgspec names: ``- at `$[2]```."""
    match = re.search(r" - at `\$(.*)`$", message)
    steps = re.findall(r"\[(\d+)\]|\.(\w+)", match[1]) if match else []
    return tuple(int(position) if position else key for position, key in steps)


def _plain(error: msgspec.ValidationError) -> str:
    """The message of msgspec without its path, in the users' words."""
    text = re.sub(r" - at (?:the key in )?`\$.*`$", "", str(error))
    text = text.replace(" | null`", "`")
    for term, plain in _PLAIN.items():
        text = text.replace(term, plain)
    text = re.sub(r" of length >= (\d+)", r" with at least \1 item(s)", text)
    text = text.replace(" | ", " or ").replace(" matching regex ", " that matches ")
    return text[0].lower() + text[1:] if text.startswith("Expected") else text
