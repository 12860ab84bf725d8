"""The text of dvc.lock: read fast, written in DVC's own form.

A lock is data; DVC writes it with ruamel.yaml. Both directions have a quick path for the plain form that nearly all
entries have, and fall back, entry by entry, to a real YAML library for whatever else there is. What is written is the
same text that DVC writes for the same data (a property test compares), so `dvc repro` and Swath can take turns on one
file without noise in its history. Only where DVC's text is read as something else, by DVC too, are lines not folded.

9,902 entries with commands of 150 characters: 0.2 s to write and 0.3 s to read; ruamel.yaml writes them in 9 s.
"""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING, Final

from swath.errors import Place, UserError
from swath.model.lock_entry import form_fault
from swath.schema import yaml12
from swath.schema.folded_text import read_text, write_key, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from swath.model.stage import JSONValue

LockEntry = dict[str, "JSONValue"]

_HEADER: Final = re.compile(r"schema: '2.0'\nstages:\n")
_ENTRY: Final = re.compile(r"^  (?! )(.+):\n((?:    .*\n|\n)*)", re.MULTILINE)
# Lines that have more indentation than a key continue its value.
_SECTION: Final = re.compile(r"    (cmd|deps|outs):(?: (.*(?:\n {5,}.*)*))?\n((?:    - .*\n|     .*\n)*)")
_FIELD: Final = re.compile(r"    (- |  )(path|hash|md5|size|nfiles|isexec): (.*(?:\n {7,}.*)*)\n")
_COMMAND: Final = re.compile(r"    - (.*(?:\n {5,}.*)*)\n")
_RESTORE: Final = "restore it from Git (git checkout -- FILE), or delete it to run everything again"
_NO_FOLDING: Final = 2**31
_INTEGER: Final = re.compile(r"0|[1-9][0-9]*")


def read_lock(text: str, file: str) -> dict[str, LockEntry]:
    """The entries of a lock, by the stage's key, in the file's order.

    Raises:
        UserError: it is not a lock that DVC 2 or 3 wrote.
    """
    if not text.strip():
        return {}
    header = _HEADER.match(text)
    if header:
        entries: dict[str, LockEntry] = {}
        end = header.end()
        for match in _ENTRY.finditer(text, end):
            name = read_text(match[1])
            if match.start() != end or name is None or name in entries:
                break
            entry = _read_entry(match[2]) or _parse_entry(match[0], name)
            if entry is None:
                break
            entries[name] = entry
            end = match.end()
        if end == len(text):
            return entries
    return _read_slowly(text, file)


def _read_slowly(text: str, file: str) -> dict[str, LockEntry]:
    document = yaml12.Document(text, file)
    lock = yaml12.as_mapping(document.value, Place(file))
    if lock.get("schema") != "2.0":
        raise UserError(
            f"not a lock of DVC 2 or 3: its schema is {lock.get('schema')!r}", place=Place(file), hint=_RESTORE
        )
    stages = yaml12.as_mapping(lock.get("stages") or {}, document.place("stages"))
    for name, entry in stages.items():
        if not isinstance(name, str):
            raise UserError(f"the stage {name} is no text", place=document.place("stages", name), hint=_RESTORE)
        if fault := form_fault(entry):
            place = document.place("stages", name, *fault.keys)
            raise UserError(f"not a lock entry: {fault.text}", place=place, hint=_RESTORE)
    return {name: dict(entry) for name, entry in stages.items() if isinstance(entry, dict)}


def _parse_entry(block: str, name: str) -> LockEntry | None:
    """An entry in another form; None when it is none, or is only one as a part of its file (an anchor is elsewhere)."""
    try:
        value = yaml12.parse(block, "")
    except UserError:
        return None
    entry = value.get(name) if isinstance(value, dict) else None
    return None if not isinstance(entry, dict) or form_fault(entry) else dict(entry)


def _read_entry(block: str) -> LockEntry | None:
    """An entry in the plain form; None when any of its lines is something else."""
    entry: LockEntry = {}
    end = 0
    for match in _SECTION.finditer(block):
        key, text, lines = match.groups()
        value: JSONValue
        if text is not None:
            value = None if lines or key != "cmd" else read_text(text)
        else:
            value = _read_commands(lines) if key == "cmd" else _read_items(lines)
        if not value or key in entry or match.start() != end:
            return None
        entry[key] = value
        end = match.end()
    return entry if "cmd" in entry and end == len(block) else None


def _read_commands(lines: str) -> list[JSONValue] | None:
    """The commands of a stage that has several; None when one of them is something else than text."""
    commands: list[JSONValue] = [read_text(text) for text in _COMMAND.findall(lines)]
    return None if None in commands or _COMMAND.sub("", lines) else commands


def _read_items(lines: str) -> list[JSONValue] | None:
    """Dependencies or outputs; None when any of their lines is something else."""
    items: list[dict[str, JSONValue]] = []
    item: dict[str, JSONValue] = {}
    end = 0
    for match in _FIELD.finditer(lines):
        dash, field, text = match.groups()
        value = _read_field(field, text)
        if dash == "- ":
            item = {}
            items.append(item)
        if value is None or not items or field in item or match.start() != end:
            return None
        item[field] = value
        end = match.end()
    return [*items] if end == len(lines) and all("path" in item for item in items) else None


def _read_field(field: str, text: str) -> JSONValue:
    if field in {"size", "nfiles"} and _INTEGER.fullmatch(text):
        return int(text)
    return True if field == "isexec" and text == "true" else read_text(text)


def write_lock(entries: Mapping[str, LockEntry]) -> str:
    """The text of a lock with these entries, in their order."""
    return "schema: '2.0'\nstages:\n" + "".join(render_entry(name, entry) for name, entry in entries.items())


def render_entry(name: str, entry: LockEntry) -> str:
    """The lines of one entry, indented as in the file."""
    key, lines = write_key(name, 2), _render_plain(entry, 4)
    if key is not None and lines is not None:
        return "\n".join([f"  {key}:", *lines]) + "\n"
    text = render_document({"stages": {name: entry}})
    return text.removeprefix("stages:\n")


def render_document(document: Mapping[str, JSONValue]) -> str:
    """A document as DVC writes it (lock files, run-cache entries); without folding where DVC's text is another one.

    ruamel.yaml loses blanks where it folds behind several, and cannot read a long key that it has folded.
    """
    text = _dumped(document)
    try:
        is_same = yaml12.parse(text, "") == document
    except UserError:
        is_same = False
    return text if is_same else _dumped(document, width=_NO_FOLDING)


def _dumped(document: Mapping[str, JSONValue], *, width: int | None = None) -> str:
    from ruamel.yaml import YAML  # 60 ms, and only unusual entries need it

    writer = YAML()
    writer.default_flow_style = False
    writer.width = width
    stream = StringIO()
    writer.dump(document, stream)
    return stream.getvalue()


def render_run_cache_entry(entry: LockEntry) -> str:
    """The text of a run-cache file for `entry`, as DVC writes it."""
    lines = _render_plain(entry, 0)
    return render_document(entry) if lines is None else "\n".join(lines) + "\n"


def _render_plain(entry: LockEntry, column: int) -> list[str] | None:
    """The lines of an entry whose keys are at `column`; None when only ruamel.yaml can say."""
    if "cmd" not in entry or not entry.keys() <= {"cmd", "deps", "outs"}:
        return None
    lines: list[str | None] = []
    margin = " " * column
    for section, value in entry.items():
        if section == "cmd" and isinstance(value, str):
            lines.append(_prefixed(f"{margin}cmd: ", value, column + 2))
            continue
        if not isinstance(value, list) or not value:
            return None
        lines.append(f"{margin}{section}:")
        for item in value:
            if isinstance(item, dict) and section != "cmd":
                lines.extend(_render_item(item, column))
            else:
                lines.append(_prefixed(f"{margin}- ", item, column + 2) if section == "cmd" else None)
    return None if None in lines else [line for line in lines if line is not None]


def _render_item(item: Mapping[str, JSONValue], column: int) -> Iterator[str | None]:
    prefix = " " * column + "- "
    for field, value in item.items():
        if value is True:
            yield f"{prefix}{field}: true"
        elif isinstance(value, int) and value is not False:
            yield f"{prefix}{field}: {value}"
        else:
            yield _prefixed(f"{prefix}{field}: ", value, column + 4)
        prefix = " " * (column + 2)


def _prefixed(prefix: str, text: JSONValue, indent: int) -> str | None:
    written = write_text(text, len(prefix), indent) if isinstance(text, str) else None
    return None if written is None else prefix + written
