"""A document -> YAML text: block style, keys in the order given, no aliases; the same document gives the same bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.stage import JSONValue

_RARE_LINE_ENDS: Final = re.compile("[\x85\u2028\u2029\ufeff]")
# Texts that Ruby's parser, GitLab's, or one of YAML 1.2 takes for a symbol, a number or a time, and PyYAML does not:
# `:gpu`, `1,000`, `-.5`, `00:00`, `0o17`.
_READ_OTHERWISE: Final = re.compile(r":.*|[-+]?[.\d][-+\d_,.:eExXoObBa-fA-F]*", re.DOTALL)
_BLANK_ENDS: Final = re.compile(r"\s.*|.*\n\n|\n", re.DOTALL)  # a block of these would end the document
_WIDTH: Final = 100_000  # lines are never folded


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with lists below their key and short lists in one line."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's
        super().increase_indent(flow, indentless=False)


class Flow(list["JSONValue"]):
    """A list that stands in one line."""


class FlowMap(dict[str, "JSONValue"]):
    """A mapping that stands in one line."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Scripts of several lines stand as they are; rare line ends are written as escapes, PyYAML itself folds them."""
    style = None
    if _RARE_LINE_ENDS.search(text) or ("\n" in text and _BLANK_ENDS.fullmatch(text)):
        style = '"'
    elif "\n" in text:
        style = "|"
    elif _READ_OTHERWISE.fullmatch(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Flow, lambda d, data: d.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True))
_Dumper.add_representer(
    FlowMap, lambda d, data: d.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)
)


def to_yaml(document: Mapping[str, JSONValue]) -> str:
    """The text of a document, a blank line before each top-level key."""
    parts = [_dump({key: value}) for key, value in document.items()]
    return "\n".join(parts)


def _dump(document: Mapping[str, JSONValue]) -> str:
    text = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=_WIDTH
    )
    return str(text)
