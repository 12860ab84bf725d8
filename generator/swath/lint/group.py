"""A group of stages as lint looks at it: its stages, and the template that they come from.

Checks look at each resolved stage; what all stages of a group share is reported once, in the words of the template.
A group that has no stages yet (its `vars` file is still to be made, or its list is empty) is checked in outline: a sign
of Unicode's private area stands for each template, so that names, options and paths can be compared all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swath.errors import Finding
from swath.lint.problem import Problem, Repair
from swath.model.shell_words import exec_words, plain_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from swath.errors import Place, Severity
    from swath.lint.problem import Section, Steps
    from swath.model.stage import JSONValue, Stage
    from swath.schema.yaml12 import Document

_PLACEHOLDER: Final = re.compile(r"(?<!\\)\$\{.*?\}", re.DOTALL)
_FIRST_SIGN: Final = 0xE000
_SIGN: Final = re.compile("[\ue000-\uf8ff]")
_WRITTEN_SIGN: Final = re.compile(r"\\u(?:e[0-9a-f]{3}|f[0-8][0-9a-f]{2})")  # as `repr` writes it
_NAMED: Final = 2  # stages that a message names before it counts


@dataclass(frozen=True, slots=True)
class Command:
    """One command of one stage.

    Attributes:
        steps: where it stands below the group's definition: ``cmd``, or ``cmd`` and its number.
        template: as dvc.yaml says it.
        text: resolved.
        words: the words behind `swath exec`; None when it is no plain call.
        templates: the same words as dvc.yaml says them; None when they cannot be matched up.
    """

    steps: Steps
    template: str
    text: str
    words: tuple[str, ...] | None
    templates: tuple[str, ...] | None

    def template_of(self, option: str, value: str) -> str:
        """The value of an option as dvc.yaml says it; the value itself when that cannot be told."""
        words, templates = self.words or (), self.templates or self.words or ()
        for position, word in enumerate(words):
            if word == f"{option}={value}":
                return templates[position].partition("=")[2]
            if word == value and position and words[position - 1] == option:
                return templates[position]
        return value


@dataclass(frozen=True, slots=True)
class Group:
    """The stages of one entry under `stages`.

    Attributes:
        steps: keys that lead to the definition: ``stages``, its name, and ``do`` for foreach.
        stages: resolved; the outline alone when there are none yet.
        signs: for an outline, each sign with the template that it stands for.
        is_outline: the group has no stages yet; its only one stands for those to come.
        pending: why it waits for a stage that writes a `vars` file; empty when it does not.
        generated_keys: top-level keys of the `vars` files that stages write; None when one of them is missing.
    """

    document: Document
    name: str
    steps: Steps
    definition: Mapping[str, JSONValue]
    stages: tuple[Stage, ...]
    signs: Mapping[str, str]
    is_outline: bool = False
    pending: str = ""
    generated_keys: frozenset[str] | None = None

    def place(self, *steps: str | int) -> Place:
        """Where something below the definition stands."""
        return self.document.place(*self.steps, *steps)

    def plain(self, text: str) -> str:
        """`text` with the templates in place of their signs."""
        return _SIGN.sub(lambda match: self.signs.get(match[0], match[0]), text) if self.signs else text

    def commands(self, stage: Stage) -> Iterator[Command]:
        """The commands of one of its stages."""
        template = self.definition.get("cmd")
        if isinstance(template, list) and isinstance(stage.cmd, tuple):
            pairs = zip(template, stage.cmd, strict=False)
            yield from (_command(("cmd", n), str(raw), text) for n, (raw, text) in enumerate(pairs) if text.strip())
        elif isinstance(stage.cmd, str):
            raw_lines, lines = str(template).splitlines(), stage.cmd.splitlines()
            if len(raw_lines) != len(lines):  # a value holds a line end: the one word rule speaks of it
                raw_lines, lines = [str(template)], [stage.cmd]
            for raw, line in zip(raw_lines, lines, strict=True):
                if line.strip():
                    yield _command(("cmd",), raw, line)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a check saw at one stage of a group.

    Attributes:
        rule: the rule's name.
        subject: what it is about, in the template's words: equal for the stages that share it.
        steps: where, below the group's definition.
        add: section and path, as dvc.yaml would say it, that would mend it.
        first: the path goes in front of the section.
    """

    rule: str
    subject: str
    message: str
    hint: str = ""
    steps: Steps = ()
    severity: Severity = "error"
    add: tuple[Section, str] | None = None
    first: bool = False


def observe(group: Group, check: Callable[[Stage], Iterable[Observation]]) -> Iterator[Problem]:
    """Ask all stages of a group, and report what they share once.

    Returns:
        A problem for each rule and subject. It names the stages unless it is about all of them.
    """
    seen: dict[tuple[str, str, Steps], list[tuple[Stage, Observation]]] = {}
    for stage in group.stages:
        for observation in check(stage):
            key = (observation.rule, observation.subject, observation.steps)
            seen.setdefault(key, []).append((stage, observation))
    for found in seen.values():
        yield _problem(group, found)


def _problem(group: Group, found: Sequence[tuple[Stage, Observation]]) -> Problem:
    first = found[0][1]
    stages = list(dict.fromkeys(stage.key for stage, _ in found))
    is_everywhere = len(stages) == len(group.stages)
    is_same = len({observation.message for _, observation in found}) == 1
    message = first.message if is_everywhere and is_same else f"{first.message} ({_named(stages, is_same=is_same)})"
    place = group.place(*first.steps)
    finding = Finding(place, first.rule, group.plain(message), group.plain(first.hint), first.severity)
    if first.add is None or not is_everywhere:
        return Problem(finding)
    section, path = first.add
    return Problem(finding, Repair(place.file, group.name, group.steps, section, group.plain(path), first.first))


def _named(stages: Sequence[str], *, is_same: bool) -> str:
    if not is_same:
        others = f"; {len(stages) - 1} more like it" if len(stages) > 1 else ""
        return f"{stages[0]}{others}"
    rest = len(stages) - _NAMED
    return ", ".join(stages[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _command(steps: Steps, template: str, text: str) -> Command:
    words = exec_words(text.strip())
    templates = _template_words(template) if words is not None else None
    if templates is not None and words is not None and len(templates) != len(words):
        templates = None
    return Command(steps, template, text, words, templates)


def _template_words(template: str) -> tuple[str, ...] | None:
    """The words behind `swath exec` of a template, with the placeholders in them."""
    signs: dict[str, str] = {}
    words = plain_words(with_signs(template.strip(), signs))
    if words is None or words[:2] != ("swath", "exec"):
        return None
    back = {sign: text for text, sign in signs.items()}
    return tuple(_SIGN.sub(lambda match: back.get(match[0], match[0]), word) for word in words[2:])


def with_signs(value: str, signs: dict[str, str]) -> str:
    """`value` with a sign for each template; the same template gets the same sign.

    Args:
        signs: from template to sign; grows.
    """
    return _PLACEHOLDER.sub(lambda match: signs.setdefault(match[0], chr(_FIRST_SIGN + len(signs))), value)


def has_sign(text: str) -> bool:
    """Whether a template is part of `text`."""
    return _SIGN.search(text) is not None or _WRITTEN_SIGN.search(text) is not None


def definition_with_signs(value: JSONValue, signs: dict[str, str]) -> JSONValue:
    """A definition with signs for the templates in all its texts, keys included."""
    if isinstance(value, str):
        return with_signs(value, signs)
    if isinstance(value, dict):
        pairs = ((with_signs(key, signs) if isinstance(key, str) else key, item) for key, item in value.items())
        return {key: definition_with_signs(item, signs) for key, item in pairs}
    if isinstance(value, list):
        return [definition_with_signs(item, signs) for item in value]
    return value
