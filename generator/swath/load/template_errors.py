"""What DVC's resolver says of templates, in the user's words and with the place: `vars`, `foreach`, `matrix`, `${…}`.

Of a value that it refuses DVC says "Unsupported value of type 'date' in 'params.yaml:x.y'"; inline `vars` it calls
``vars[0]``.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

from swath.dvc_border.params import load_params_file
from swath.errors import Finding, Place, UserError
from swath.schema.yaml12 import Document, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from swath.dvc_border.repository import Repository
    from swath.dvc_border.templating import Templated
    from swath.model.stage import JSONValue

_PREAMBLE: Final = re.compile(r"failed to (?:parse|resolve) '(?P<key>[^']*)' in '[^']*': ?(?P<message>.*)", re.DOTALL)
_UNREADABLE: Final = re.compile(r"unable to read: '(?P<file>[^']*)'")
_UNKNOWN_NAME: Final = re.compile(r"Could not find '(?P<name>[^']*)'")
_REFUSED: Final = re.compile(r"Unsupported value of type '(?P<kind>[^']*)' in '(?P<source>[^']*?):(?P<key>[^']*)'")
_VARS: Final = re.compile(r"(?:(?P<group>.*)\.)?vars\[(?P<number>\d+)\]")
_YAML: Final = (".yaml", ".yml")
_KINDS: Final = {
    "date": "a date", "datetime": "a date with a time", "time": "a time", "set": "a set", "tuple": "a tuple",
}  # fmt: skip
_ALLOWED: Final = "put it in quotes; allowed are text, numbers, true, false, null, lists and mappings"


def vars_error(repository: Repository, document: Document, error: UserError) -> UserError:
    """The error in the users' words; in the file that it is about when that cannot be read."""
    if error.place and error.place.file != document.file:
        return error
    match = _PREAMBLE.fullmatch(error.message)
    message = match["message"] if match else error.message
    refused = _refused_value(repository.root, document, message)
    if refused:
        return refused
    unread = _UNREADABLE.match(message)
    if unread:
        try:
            load_params_file(str(repository.root / unread["file"]), unread["file"])
        except UserError as inner:
            return inner
    return UserError(
        message, place=document.place("vars"), hint="correct `vars`, or bring the file back (git checkout)"
    )


def template_findings(repository: Repository, document: Document, templated: Templated) -> Iterable[Finding]:
    """A finding for each group that cannot be resolved, at the key that DVC's message names."""
    for group, text in templated.unresolved.items():
        refused = _refused_value(repository.root, document, text, group)
        if refused:
            yield Finding(refused.place or document.place("stages", group), "template", refused.message, refused.hint)
            continue
        match = _PREAMBLE.fullmatch(text)
        if not match:
            yield Finding(document.place("stages", group), "template", text, "correct the template")
            continue
        inner = match["key"].removeprefix(f"stages.{group}").partition(".")[2]
        steps: list[str] = ["stages", group]
        if inner != "foreach" and "foreach" in _mapping(_mapping(document.value, "stages"), group):
            steps.append("do")
        place = document.place(*steps, *inner.split(".") if inner else ())
        name = _UNKNOWN_NAME.search(match["message"])
        if name:
            files = ", ".join(templated.vars_files) or "params.yaml"
            hint = f"define it in {files}, under `vars`, or correct the name"
            yield Finding(place, "template", f"nothing defines '{name['name']}'", hint)
        else:
            yield Finding(place, "template", match["message"], "correct the template")


def _mapping(value: JSONValue, key: str) -> Mapping[str, JSONValue]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _refused_value(root: Path, document: Document, text: str, group: str = "") -> UserError | None:
    """The error for a value that DVC's resolver refused; None: the text is about something else.

    Args:
        document: the dvc.yaml that was resolved.
        text: DVC's message; files in it are from the root.
        group: the group of stages that was resolved; empty: the workflow's `vars`.
    """
    match = _REFUSED.search(text)
    if not match:
        return None
    kind = match["kind"]
    steps = tuple(int(step) if step.isdecimal() else step for step in match["key"].split("."))
    message = f"{_KINDS.get(kind, kind)} cannot be used in a workflow"
    return UserError(message, place=_place(root, document, match["source"], steps, group), hint=_ALLOWED)


def _place(root: Path, document: Document, source: str, steps: tuple[int | str, ...], group: str) -> Place:
    inline = _VARS.fullmatch(source)
    if inline:
        parents = ("stages", inline["group"]) if inline["group"] else ()
        return document.place(*parents, "vars", int(inline["number"]), *steps)
    if group and not (root / source).exists():  # `item` of a foreach or matrix
        return document.place("stages", group)
    if source.endswith(_YAML):
        with contextlib.suppress(OSError, UnicodeDecodeError, UserError):
            return Document((root / source).read_text(encoding="utf-8"), source).place(*steps)
    return Place(source, key=dotted(steps))
