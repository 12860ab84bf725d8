"""Read YAML as DVC reads it, fast, and know the line of each key.

DVC reads with ruamel.yaml: YAML 1.2 scalars (``yes`` is text, ``010`` is ten), duplicate keys are errors. This module
gives the same values through libyaml, ten times faster. A property test holds the two equal. Where the parsers differ
(``[a:]``, an anchor used twice, a tab after plain text, a ``%YAML`` directive), ruamel.yaml itself reads the file.
Three things that DVC takes are refused: a key that is a list, an alias inside its own value, and half a character
(an escape from U+D800 to U+DFFF).

Source: ruamel.yaml 0.19 `resolver.py` (version 1.2 rows) and `constructor.py`, read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from typing import TYPE_CHECKING, Final

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # libyaml's parser has no stubs
from yaml.resolver import BaseResolver

from swath.errors import Place, UserError
from swath.schema.one_nan import with_one_nan

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from swath.model.stage import JSONValue

BOOL: Final = re.compile(r"true|True|TRUE|false|False|FALSE")
FLOAT: Final = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN)"
)
INT: Final = re.compile(r"[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+")
NULL: Final = re.compile(r"~|null|Null|NULL|")
TIMESTAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9][0-9])?))?"
)
# What only ruamel.yaml reads as DVC does.
_FOR_RUAMEL: Final = re.compile(
    r"^(?:%|\.\.\.)"  # a directive, an end mark
    r"|(?:^|[\s\[{,\ufeff])(?:![^\s=]|&[\w-]+[^\w\s,\[\]{}-])|[|>][-+0-9]*#",  # a tag, an odd anchor, `>#`
    re.MULTILINE,
)
_TAB: Final = re.compile(r"^(?! *#).*\t", re.MULTILINE)
_HALF_CHARACTER: Final = "found invalid Unicode character escape code"  # no file's name, no command can hold one
# Lists and mappings in each other; DVC, which reads with recursion, fails at about 300.
DEEPEST: Final = 150
_MAY_BE_DEEP: Final = re.compile(
    rf"(?:^|[\s\[{{,])&[^\s&,\[\]{{}}]|^ {{{DEEPEST}}}|(?:- ){{{DEEPEST // 2}}}", re.MULTILINE
)
_PREFIX: Final = "tag:yaml.org,2002:"


class _Resolver(BaseResolver):
    """The implicit types of YAML 1.2, as ruamel.yaml has them."""


for _tag, _regexp, _first in (
    ("bool", BOOL, "tTfF"),
    ("float", FLOAT, "-+0123456789."),
    ("int", INT, "-+0123456789"),
    ("merge", re.compile("<<"), "<"),
    ("null", NULL, ["~", "n", "N", ""]),
    ("timestamp", TIMESTAMP, "0123456789"),
    ("value", re.compile("="), "="),
):
    _Resolver.add_implicit_resolver(_PREFIX + _tag, re.compile(f"(?:{_regexp.pattern})$"), list(_first))


class _Constructor(SafeConstructor):
    """Integers of YAML 1.2; a key that stands twice is an error."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = self.construct_scalar(node).replace("_", "")
        digits = text.lstrip("+-")
        base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 10)
        return (-1 if text.startswith("-") else 1) * int(digits, base)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        value: float = super().construct_yaml_float(node)
        return math.nan if math.isnan(value) else value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        pairs = list(node.value)
        mapping = super().construct_mapping(node, deep=deep)
        merges = [key for key, _ in pairs if key.tag == _PREFIX + "merge"]
        if len(merges) > 1:
            raise ConstructorError(None, None, "duplicate key '<<'", merges[1].start_mark)
        if len(mapping) < len(pairs) and not merges:  # beside a merge key, the last of equal keys counts
            seen: set[object] = set()
            for key, _ in pairs:
                value = self.construct_object(key, deep=True)  # 1, 0x1 and 1.0 are one key
                if value in seen:
                    raise ConstructorError(None, None, f"duplicate key {key.value!r}", key.start_mark)
                seen.add(value)
        return mapping

    def construct_ordered(self, node: yaml.Node) -> Iterator[dict[Hashable, object]]:
        """An `!!omap` is a mapping, as for DVC; PyYAML makes a list of pairs."""
        mapping: dict[Hashable, object] = {}
        yield mapping
        (pairs,) = list(self.construct_yaml_omap(node))  # the list is complete when its generator has ended
        mapping.update(pairs)
        if len(mapping) < len(pairs):
            raise ConstructorError(None, None, "duplicate key in an !!omap", node.start_mark)


_Constructor.add_constructor(_PREFIX + "int", _Constructor.construct_yaml_int)  # type: ignore[type-var]
_Constructor.add_constructor(_PREFIX + "float", _Constructor.construct_yaml_float)  # type: ignore[type-var]
_Constructor.add_constructor(_PREFIX + "omap", _Constructor.construct_ordered)  # type: ignore[type-var]


class _Loader(CParser, _Constructor, _Resolver):
    """libyaml's parser under our constructor and resolver."""

    def __init__(self, stream: str) -> None:
        CParser.__init__(self, stream)
        _Constructor.__init__(self)
        _Resolver.__init__(self)


class Document:
    """A YAML document: its value, and where each key stands.

    Attributes:
        value: plain data; an empty document is an empty mapping, as in DVC.
        file: its path, for places.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        try:
            self._node, value = _read(text)
            if _MAY_BE_DEEP.search(text) or text.count("[") + text.count("{") > DEEPEST:
                check_nesting(value, Place(file))
        except yaml.MarkedYAMLError as error:
            raise _not_yaml(error, file) from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            code = error.character if isinstance(error.character, int) else ord(error.character)
            message = f"not YAML: the character U+{code:04X} is not allowed"
            raise UserError(message, place=Place(file, line), hint="take it out, or write it as an escape") from error
        except RecursionError as error:
            raise too_deep(Place(file)) from error
        except (yaml.YAMLError, ValueError) as error:
            raise UserError(f"not YAML: {error}", place=Place(file), hint="correct the file") from error
        self.value: JSONValue = value or {}  # as DVC: an empty document, but also a lone 0 or false

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` stands; the nearest existing parent's line when it does not exist.

        Args:
            path: keys and list positions from the root.
        """
        node, line = self._node, 1
        for step in path:
            child = _child(node, step)
            if child is None:
                break
            node, line = child
        return Place(self.file, line, dotted(path))


def _read(text: str) -> tuple[yaml.Node | None, JSONValue]:
    """The node and the value of a text: through libyaml where it reads as ruamel.yaml does, else through that."""
    if "\r" in text or "\ufeff" in text[1:] or ("\t" in text and _TAB.search(text)) or _FOR_RUAMEL.search(text):
        return _read_with_ruamel(text)
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node is not None else None
    except ConstructorError:
        raise
    except yaml.MarkedYAMLError as error:
        if error.problem == _HALF_CHARACTER:
            raise
        with contextlib.suppress(yaml.YAMLError):
            return _read_with_ruamel(text)
        raise
    finally:
        if loader is not None:
            loader.dispose()


def _read_with_ruamel(text: str) -> tuple[yaml.Node | None, JSONValue]:
    """As `_read`, ten times slower.

    Raises:
        yaml.MarkedYAMLError: ruamel.yaml refuses the text.
    """
    from ruamel.yaml import YAML  # 60 ms, and only unusual files need it
    from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", YAMLWarning)
            return YAML(typ="safe").compose(text), with_one_nan(YAML(typ="safe").load(text))
    except MarkedYAMLError as error:
        raise yaml.MarkedYAMLError(error.context, error.context_mark, error.problem, error.problem_mark) from error
    except (YAMLError, AssertionError, AttributeError, TypeError, LookupError) as error:  # it lets some through
        raise yaml.YAMLError(str(error)) from error


def check_nesting(value: JSONValue, place: Place) -> None:
    """See that lists and mappings are not nested more than `DEEPEST` deep; an alias inside its own value is endless.

    Raises:
        UserError: they are.
    """
    level: dict[int, object] = {id(value): value}
    for _ in range(DEEPEST):
        inner = [item for each in level.values() for item in _items(each)]
        level = {id(item): item for item in inner if isinstance(item, list | tuple | dict)}
        if not level:
            return
    raise too_deep(place)


def _items(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()


def too_deep(place: Place) -> UserError:
    """The error for lists and mappings that are nested more than `DEEPEST` deep."""
    message = f"lists and mappings are nested more than {DEEPEST} deep, or an alias is inside its own value"
    return UserError(message, place=place, hint="DVC cannot read it either: nest them less deeply, without the alias")


def dotted(path: tuple[str | int, ...]) -> str:
    """``stages.train.deps[2]`` for its parts."""
    text = ""
    for step in path:
        is_position = isinstance(step, int) and not isinstance(step, bool)
        text += f"[{step}]" if is_position else f".{step}" if text else str(step)  # a key may be a date
    return text


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, int] | None:
    if node is None:
        return None
    kind = getattr(node, "id", "")  # the nodes of both libraries have it
    if kind == "sequence" and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item, item.start_mark.line + 1
    if kind == "mapping":
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    return None


def _not_yaml(error: yaml.MarkedYAMLError, file: str) -> UserError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    what = error.problem or error.context or "cannot be read"
    context = f" {error.context}" if error.context and error.problem else ""
    hint = "correct the line, or the one before it"
    return UserError(f"not YAML:{context} {what}", place=Place(file, line), hint=hint)


def parse(text: str, file: str) -> JSONValue:
    """The value of a YAML text, as DVC would read it.

    Raises:
        UserError: it is not YAML; with the line.
    """
    return Document(text, file).value


def as_mapping(value: JSONValue, place: Place) -> Mapping[str, JSONValue]:
    """`value` when it is a mapping.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(value, dict):
        raise UserError(f"expected a mapping, found {type(value).__name__}", place=place)
    return value
