"""`swath lint --fix`: add missing entries to deps and outs of a dvc.yaml, and lines to `.dvcignore`.

The text is changed only where an entry comes in, so comments, order, quotes and blank lines stay; a round trip through
a YAML writer would lay long commands out anew. What came out is read again: unless it is the old document plus just the
wanted entry, the entry is left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

from swath.errors import UserError
from swath.lint.problem import IgnoreRepair, Repair
from swath.schema import yaml12

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from swath.lint.problem import Problem, Steps
    from swath.model.stage import JSONValue

DVCIGNORE: Final = ".dvcignore"
_PLAIN: Final = re.compile(r"[A-Za-z_./$][A-Za-z0-9_./${}@%+=-]*")
_KEYWORDS: Final = re.compile(r"(?i)true|false|null|~|\.inf|\.nan|\.")


@dataclass(frozen=True, slots=True)
class Fixed:
    """One entry that was added.

    Attributes:
        key: where: ``stages.split.do.deps``.
        entry: what was added.
    """

    file: str
    key: str
    entry: str

    def __str__(self) -> str:
        """``dvc.yaml: stages.split.do.deps: + services/split``."""
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: + {self.entry}"


def mended(problems: Iterable[Problem], texts: Mapping[str, str]) -> tuple[dict[str, str], tuple[Fixed, ...]]:
    """The texts of the files with everything added that can be.

    Args:
        problems: as lint found them.
        texts: of every dvc.yaml that has one, and of `.dvcignore` (empty when there is none), by file.

    Returns:
        The texts that changed, and what was added, by file and place.
    """
    changed = dict(texts)
    fixed: list[Fixed] = []
    for repair in dict.fromkeys(problem.repair for problem in problems if problem.repair):
        if isinstance(repair, IgnoreRepair):
            changed[DVCIGNORE] = _with_lines(changed.get(DVCIGNORE, ""), repair.lines)
            fixed += [Fixed(DVCIGNORE, "", line) for line in repair.lines]
        elif repair.file in changed:
            text = _with_entry(changed[repair.file], repair)
            if text is not None:
                changed[repair.file] = text
                fixed.append(Fixed(repair.file, yaml12.dotted((*repair.steps, repair.section)), repair.path))
    return {file: text for file, text in changed.items() if text != texts.get(file, "")}, tuple(fixed)


def _with_lines(text: str, lines: Sequence[str]) -> str:
    start = text if not text or text.endswith("\n") else f"{text}\n"
    return start + "".join(f"{line}\n" for line in lines)


def _with_entry(text: str, repair: Repair) -> str | None:
    """The text with one entry more; None when that cannot be done safely."""
    definition = _node_at(yaml.compose(text, Loader=yaml.CSafeLoader), repair.steps)
    if not isinstance(definition, yaml.MappingNode):
        return None
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    section = _child(definition, repair.section)
    if definition.flow_style:
        candidate = None
    elif section is None:
        candidate = _new_section(lines, definition, repair)
    elif isinstance(section, yaml.SequenceNode) and not section.flow_style:
        candidate = _into_block(lines, section, repair)
    else:
        candidate = _as_block(lines, definition, section, repair)
    return candidate if candidate is not None and _is_only_change(text, candidate, repair) else None


def _into_block(lines: list[str], section: yaml.SequenceNode, repair: Repair) -> str:
    position = section.start_mark.line if repair.first else _last_line(section.value[-1]) + 1
    entry = " " * section.start_mark.column + f"- {_scalar(repair.path)}\n"
    return "".join([*lines[:position], entry, *lines[position:]])


def _new_section(lines: list[str], definition: yaml.MappingNode, repair: Repair) -> str:
    """A section of its own: deps behind the command, outs behind deps."""
    values = {key.value: value for key, value in definition.value}
    before = [name for name in ("cmd", "wdir", "deps", "params") if name in values and name != repair.section]
    if repair.section == "deps":
        before = [name for name in before if name in {"cmd", "wdir"}]
    position = max(_last_line(values[name]) for name in before) + 1 if before else _last_line(definition) + 1
    indent = " " * definition.start_mark.column
    entry = [f"{indent}{repair.section}:\n", f"{indent}  - {_scalar(repair.path)}\n"]
    return "".join([*lines[:position], *entry, *lines[position:]])


def _as_block(lines: list[str], definition: yaml.MappingNode, section: yaml.Node, repair: Repair) -> str | None:
    """A list in brackets, or an empty one, in block style."""
    if isinstance(section, yaml.SequenceNode):
        entries = [_source(lines, item) for item in section.value]
        between = _source(lines, section)
        if "#" in re.sub(r"'[^']*'|\"[^\"]*\"", "", between):
            return None
    elif isinstance(section, yaml.ScalarNode) and section.value == "":
        entries = []
    else:
        return None
    entries = [_scalar(repair.path), *entries] if repair.first else [*entries, _scalar(repair.path)]
    indent = " " * (definition.start_mark.column + 2)
    whole = "".join(lines)
    head = whole[: _offset(lines, section.start_mark)].rstrip(" ")
    comment, _, rest = whole[_offset(lines, section.end_mark) :].partition("\n")
    if comment.strip() and not comment.lstrip().startswith("#"):
        return None
    block = "".join(f"\n{indent}- {entry}" for entry in entries)
    return f"{head}{comment.rstrip()}{block}\n{rest}"


def _scalar(path: str) -> str:
    """A path as an entry of a block list."""
    is_plain = _PLAIN.fullmatch(path) and not _KEYWORDS.fullmatch(path) and not re.match(r"\.?\d", path)
    return path if is_plain else json.dumps(path, ensure_ascii=False)


def _is_only_change(before: str, after: str, repair: Repair) -> bool:
    """Whether `after` says what `before` said, and the entry."""
    try:
        old, new = _unshared(yaml12.parse(before, repair.file)), yaml12.parse(after, repair.file)
    except UserError:
        return False
    definition = old
    for step in repair.steps:
        definition = definition.get(str(step)) if isinstance(definition, dict) else None
    if not isinstance(definition, dict):
        return False
    entries = list(definition.get(repair.section) or [])
    definition[repair.section] = [repair.path, *entries] if repair.first else [*entries, repair.path]
    return old == new and _key_count(old) == _key_count(new)


def _unshared(value: JSONValue) -> JSONValue:
    """A copy in which what aliases share stands apart."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def _key_count(value: JSONValue) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_key_count, value.values()))
    return sum(map(_key_count, value)) if isinstance(value, list) else 0


def _node_at(node: yaml.Node | None, steps: Steps) -> yaml.Node | None:
    for step in steps:
        node = _child(node, step)
    return node


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == step), None)


def _last_line(node: yaml.Node) -> int:
    """The last line, from 0, that belongs to a node; comments behind it do not."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(_last_line(last[0]), _last_line(last[1])) if isinstance(last, tuple) else _last_line(last)
    start, end, column = int(node.start_mark.line), int(node.end_mark.line), int(node.end_mark.column)
    is_block_text = isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}
    return max(start, end - 1) if is_block_text and column == 0 else end


def _offset(lines: list[str], mark: yaml.Mark) -> int:
    return sum(map(len, lines[: mark.line])) + int(mark.column)


def _source(lines: list[str], node: yaml.Node) -> str:
    return "".join(lines)[_offset(lines, node.start_mark) : _offset(lines, node.end_mark)]
