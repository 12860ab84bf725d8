"""A plan for people: a table, and pictures of the graph coloured by decision (Mermaid, Graphviz)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from swath.model.graph import StageGraph
    from swath.model.plan import Decision, Reason
    from swath.model.stage import JSONValue

COLOURS: Final = {"run": "#f4a261", "restore": "#8ecae6", "unchanged": "#d9d9d9"}
_WORDS: Final = {
    "new": "never run",
    "cmd": "its command changed",
    "always": "runs always",
    "forced": "forced",
    "frozen": "frozen",
}
_LONGEST_VALUE: Final = 40
_MOST_VALUES: Final = 2


def rows(decisions: Mapping[str, Decision], *, everything: bool = False) -> Iterator[tuple[str, str, str]]:
    """Stage, decision and reasons in words; unchanged stages only with `everything`."""
    for name, decision in decisions.items():
        if everything or decision.kind != "unchanged":
            yield name, decision.kind, "; ".join(explain(decision.reasons))


def explain(reasons: Sequence[Reason]) -> Iterator[str]:
    """Each reason as a clause."""
    upstream = [reason.path for reason in reasons if reason.kind == "upstream"]
    for reason in reasons:
        if reason.kind in _WORDS:
            yield _WORDS[reason.kind]
        elif reason.kind == "param":
            yield from _changes(reason)
        elif reason.kind == "missing":
            yield f"{reason.path} is missing" if reason.new is None else f"{reason.path} is not in the cache"
        elif reason.kind == "out":
            yield f"{reason.path} was edited"
        elif reason.kind == "lost":
            yield f"{reason.path} is lost in the remote"
        elif reason.kind == "service":
            yield f"the service {reason.path.rpartition('/')[2]} changed"
        elif reason.kind == "dep":
            yield f"{reason.path} changed"
    if upstream:
        more = f" and {len(upstream) - 1} more" if len(upstream) > 1 else ""
        yield f"behind {upstream[0]}{more}"


def _changes(reason: Reason) -> Iterator[str]:
    """The first values that differ: of a parameter with others below it, those alone."""
    changes = list(_leaves(reason.path, reason.old, reason.new))
    for path, old, new in changes[:_MOST_VALUES]:
        yield f"{path} is {_value(new)}, was {_value(old)}"
    if len(changes) > _MOST_VALUES:
        yield f"{len(changes) - _MOST_VALUES} more below {reason.path}"


def _leaves(path: str, old: JSONValue, new: JSONValue) -> Iterator[tuple[str, JSONValue, JSONValue]]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield path, old, new
        return
    for key in dict.fromkeys([*new, *old]):
        if key not in old or key not in new or old[key] != new[key]:
            yield from _leaves(f"{path}.{key}", old.get(key), new.get(key))


def _value(value: JSONValue) -> str:
    text = _flow(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _flow(value: object) -> str:
    """A value on one line: as JSON where JSON has it, keys and others as in a Python text."""
    if isinstance(value, dict):
        pairs = (f"{_flow(key)}: {_flow(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def counts(decisions: Mapping[str, Decision]) -> str:
    """``3 to run, 1 to restore, 20 unchanged``."""
    kinds = [decision.kind for decision in decisions.values()]
    parts = [
        (kinds.count("run"), "to run"),
        (kinds.count("restore"), "to restore"),
        (kinds.count("unchanged"), "unchanged"),
    ]
    return ", ".join(f"{number} {word}" for number, word in parts if number) or "no stages"


def mermaid(graph: StageGraph, decisions: Mapping[str, Decision]) -> str:
    """A Mermaid flowchart, data flowing downwards."""
    ids = {name: f"s{number}" for number, name in enumerate(decisions)}
    lines = ["flowchart TD"]
    lines += [f'    {ids[name]}["{_mermaid_text(name)}"]:::{decision.kind}' for name, decision in decisions.items()]
    lines += [f"    {ids[up]} --> {ids[name]}" for name in decisions for up in graph.upstream[name] if up in ids]
    lines += [f"    classDef {kind} fill:{colour},stroke:#555,color:#111" for kind, colour in COLOURS.items()]
    return "\n".join(lines)


def _mermaid_text(text: str) -> str:
    return "".join(char if char.isalnum() or char in " _-./:@" else f"#{ord(char)};" for char in text)


def dot(graph: StageGraph, decisions: Mapping[str, Decision]) -> str:
    """A Graphviz digraph, data flowing downwards."""
    lines = ["digraph plan {", '    node [shape=box, style="rounded,filled", fontname="sans-serif"];']
    lines += [f'    {_quoted(name)} [fillcolor="{COLOURS[decision.kind]}"];' for name, decision in decisions.items()]
    lines += [
        f"    {_quoted(up)} -> {_quoted(name)};" for name in decisions for up in graph.upstream[name] if up in decisions
    ]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
