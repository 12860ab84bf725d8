"""A Dockerfile: its instructions with their lines, what they copy, and what they start from. Pure.

Only what can be known without building is read: words with variables or patterns, here-documents and the JSON form are
left out.

Source: https://docs.docker.com/reference/dockerfile/, read 2026-11-22.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ARG_DEFAULT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(\S+)")
_HERE_DOCUMENT: Final = re.compile(r"""<<-?["']?([A-Za-z_][A-Za-z0-9_]*)["']?""")
_WITH_HERE_DOCUMENTS: Final = frozenset({"RUN", "COPY", "ADD"})
_VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        line: where it begins, from 1.
        end: where it ends; of one with a here-document, the line before that.
        name: in capitals.
        words: what follows, options included.
    """

    line: int
    end: int
    name: str
    words: tuple[str, ...]


def instructions(text: str) -> tuple[Instruction, ...]:
    """The instructions of a Dockerfile, in order."""
    found: list[Instruction] = []
    begun, joined, waiting = 0, "", list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if waiting:
            if line == waiting[0]:
                del waiting[0]
            continue
        if not line or line.startswith("#"):
            continue
        begun = begun or number
        joined += line.removesuffix("\\") + " "
        if not line.endswith("\\"):
            name, _, rest = joined.strip().partition(" ")
            found.append(Instruction(begun, number, name.upper(), _words(rest)))
            waiting = _HERE_DOCUMENT.findall(rest) if name.upper() in _WITH_HERE_DOCUMENTS else []
            begun, joined = 0, ""
    return tuple(found)


def last_start(text: str) -> int:
    """The line in which the last FROM ends, from 1; 0: there is none."""
    return max((one.end for one in instructions(text) if one.name == "FROM"), default=0)


def copied(parsed: tuple[Instruction, ...]) -> Iterator[tuple[Instruction, str]]:
    """Each path that is copied out of the build's folder, as far as it can be known."""
    for one in parsed:
        words = [word for word in one.words if not word.startswith("--")]
        is_elsewhere = any(word.startswith("--from") for word in one.words)
        if one.name not in {"COPY", "ADD"} or is_elsewhere or len(words) < 2 or words[0].startswith(("[", "<<")):
            continue
        for word in words[:-1]:
            if not re.search(r"[$*?\[\\]|://|^git@", word):
                yield one, word.removeprefix("./").strip("/")


def bases(parsed: tuple[Instruction, ...]) -> Iterator[tuple[Instruction, str]]:
    """Each image that is started from and is no earlier part of the same file; ARG's defaults are put in."""
    known = {"scratch"}
    defaults: dict[str, str] = {}
    for one in parsed:
        if one.name == "ARG":
            defaults.update(_ARG_DEFAULT.findall(" ".join(one.words)))
        if one.name != "FROM":
            continue
        words = [word for word in one.words if not word.startswith("--")]
        image = _VARIABLE.sub(lambda found: defaults.get(found.group(1), found.group()), words[0]) if words else ""
        if image and image not in known and "$" not in image:
            yield one, image
        if len(words) > 2:
            known.add(words[2])


def last_base(parsed: tuple[Instruction, ...]) -> tuple[Instruction, str] | None:
    """The last FROM, and the image that it comes from in the end, through earlier parts of the file; None: unknown."""
    begins = [one for one in parsed if one.name == "FROM" and one.words]
    outside = dict(bases(parsed))
    parts: dict[str, str] = {"scratch": "scratch"}
    for one in begins:
        words = [word for word in one.words if not word.startswith("--")]
        image = outside.get(one) or (parts.get(words[0], "") if words else "")
        if len(words) > 2:
            parts[words[2]] = image
        if one is begins[-1]:
            return (one, image) if image else None
    return None


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text, comments=False))
    except ValueError:  # an open quote, such as in RUN's text
        return tuple(text.split())
