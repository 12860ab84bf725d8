"""The text of dvc.lock: read fast, written in DVC's own form.

A lock is data; DVC writes it with ruamel.yaml. Both directions have a quick path for the plain form that nearly all
entries have, and fall back, entry by entry, to a real YAML library for whatever else there is. What is written is the
same text that DVC writes for the same data (a property test compares), so `dvc repro` and Swath can take turns on one
file without noise in its history.

Read 9,902 entries: 0.3 s here against 5.5 s through PyYAML.
"""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING, Final

from swath.errors import Place, UserError
from swath.schema import yaml12

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from swath.model.stage import JSONValue

LockEntry = dict[str, "JSONValue"]

# ruamel.yaml breaks a longer line at a space.
_WIDTH: Final = 80
# A block-style plain scalar of printable ASCII: no ": ", no " #", and a harmless first character.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/.](?:[!-\"$-9;-~]|(?<! )#|:(?=[!-~])| (?=[!-\"$-~]))*")
# Text that would be read as something else; resolvers look only at scalars that begin with one of these.
_NEEDS_QUOTES: Final = re.compile(
    "(?=[-+.0-9tTfFnN~])(?:"
    + "|".join(r.pattern for r in (yaml12.BOOL, yaml12.FLOAT, yaml12.INT, yaml12.NULL, yaml12.TIMESTAMP))
    + ")"
)
_HEADER: Final = re.compile(r"schema: '2.0'\nstages:\n")
_ENTRY: Final = re.compile(r"^  (?! )(.+):\n((?:    .*\n|\n)*)", re.MULTILINE)
_ITEM: Final = re.compile(r"(    - path: |      (hash|md5|size|nfiles|isexec): |    (cmd): |    (deps|outs):$)(.*)")
_RESTORE: Final = "restore it from Git (git checkout -- FILE), or delete it to run everything again"
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
            name = _read_text(match[1])
            if match.start() != end or name is None:
                break
            entries[name] = _read_entry(match[2]) or _parse_entry(match[0], file, name)
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
        if not isinstance(entry, dict) or "cmd" not in entry:
            raise UserError("not a lock entry: no cmd", place=document.place("stages", name), hint=_RESTORE)
    return {name: dict(entry) for name, entry in stages.items() if isinstance(entry, dict)}


def _parse_entry(block: str, file: str, name: str) -> LockEntry:
    value = yaml12.parse(block, file)
    entry = value.get(name) if isinstance(value, dict) else None
    if not isinstance(entry, dict) or "cmd" not in entry:
        raise UserError("not a lock entry: no cmd", place=Place(file, key=f"stages.{name}"), hint=_RESTORE)
    return entry


def _read_text(text: str) -> str | None:
    """A plain or single-quoted scalar that is text; None when it takes a YAML library to say."""
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        inner = text[1:-1]
        return inner.replace("''", "'") if "'" not in inner.replace("''", "") else None
    if _PLAIN.fullmatch(text) and not text.endswith((":", " ")) and not _NEEDS_QUOTES.fullmatch(text):
        return text
    return None


def _read_entry(block: str) -> LockEntry | None:
    """An entry in the plain form; None when any of its lines is something else."""
    entry: LockEntry = {}
    items: list[JSONValue] | None = None
    item: dict[str, JSONValue] = {}
    for line in block.splitlines():
        match = _ITEM.fullmatch(line)
        if not match:
            return None
        _, field, cmd, section, text = match.groups()
        if section:
            items = entry[section] = []
            continue
        value: JSONValue = int(text) if field in {"size", "nfiles"} and _INTEGER.fullmatch(text) else _read_text(text)
        if field == "isexec" and text == "true":
            value = True
        if value is None:
            return None
        if cmd:
            entry["cmd"] = value
        elif field:
            item[field] = value
        elif items is None:
            return None
        else:
            item = {"path": value}
            items.append(item)
    return entry if "cmd" in entry else None


def write_lock(entries: Mapping[str, LockEntry]) -> str:
    """The text of a lock with these entries, in their order."""
    return "schema: '2.0'\nstages:\n" + "".join(render_entry(name, entry) for name, entry in entries.items())


def render_entry(name: str, entry: LockEntry) -> str:
    """The lines of one entry, indented as in the file."""
    lines = _render_plain(name, entry)
    if lines is not None:
        return "\n".join(lines) + "\n"
    text = render_document({"stages": {name: entry}})
    return text.removeprefix("stages:\n")


def render_document(document: Mapping[str, JSONValue]) -> str:
    """A document as DVC writes it (lock files, run-cache entries)."""
    from ruamel.yaml import YAML  # 60 ms, and only unusual entries need it

    writer = YAML()
    writer.default_flow_style = False
    stream = StringIO()
    writer.dump(document, stream)
    return stream.getvalue()


def render_run_cache_entry(entry: LockEntry) -> str:
    """The text of a run-cache file for `entry`, as DVC writes it."""
    lines = _render_plain("x", entry)
    if lines is None:
        return render_document(entry)
    return "\n".join(line[4:] for line in lines[1:]) + "\n"


def _render_plain(name: str, entry: LockEntry) -> list[str] | None:
    head = _write_text(name, 3)
    cmd = entry.get("cmd")
    cmd_text = _write_text(cmd, 9) if isinstance(cmd, str) else None
    if head is None or cmd_text is None or not entry.keys() <= {"cmd", "deps", "outs"}:
        return None
    lines = [f"  {head}:", f"    cmd: {cmd_text}"]
    for section in entry:
        if section == "cmd":
            continue
        items = entry[section]
        if not isinstance(items, list) or not items:
            return None
        lines.append(f"    {section}:")
        for item in items:
            rendered = list(_render_item(item)) if isinstance(item, dict) else [None]
            if None in rendered:
                return None
            lines.extend(line for line in rendered if line is not None)
    return lines


def _render_item(item: Mapping[str, JSONValue]) -> Iterator[str | None]:
    prefix = "    - "
    for field, value in item.items():
        if value is True:
            yield f"{prefix}{field}: true"
        elif isinstance(value, int) and value is not False:
            yield f"{prefix}{field}: {value}"
        else:
            text = _write_text(value, len(prefix) + len(field) + 2) if isinstance(value, str) else None
            yield None if text is None else f"{prefix}{field}: {text}"
        prefix = "      "


def _write_text(text: str, column: int) -> str | None:
    """`text` as ruamel.yaml writes it at `column`; None when only ruamel.yaml can say."""
    if " " in text and column + len(text) > _WIDTH:
        return None
    if len(text) > 120 and column == 3:  # a long key becomes an explicit one (`? key`)
        return None
    if not _PLAIN.fullmatch(text) or text.endswith((":", " ")) or "  " in text:
        return None
    return f"'{text}'" if _NEEDS_QUOTES.fullmatch(text) else text
