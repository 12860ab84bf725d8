"""Every rule that the code can tell stands in docs/reference/lint-rules.md."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "generator/swath/lint").glob("*.py"), *(ROOT / "generator/swath/load").glob("*.py")]
SOURCES += [ROOT / "generator/swath/model/graph.py", ROOT / "generator/swath/dvc_border/schema.py"]
POSITION = {"Finding": 1, "Observation": 0}


def _rules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POSITION:
            position = POSITION[node.func.id]
            texts = ast.walk(node.args[position]) if len(node.args) > position else ()
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "rule":
            texts = ast.walk(node.value)
        else:
            continue
        yield from (text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str))


def test_every_rule_is_documented() -> None:
    page = (ROOT / "docs/reference/lint-rules.md").read_text(encoding="utf-8")
    rules = {rule for source in SOURCES for rule in _rules(ast.parse(source.read_text(encoding="utf-8")))}

    assert len(rules) > 30
    assert {rule for rule in rules if f"`{rule}`" not in page} == set()
