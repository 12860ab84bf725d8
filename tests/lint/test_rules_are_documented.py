"""Every rule that the code can tell stands in docs/reference/lint-rules.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "generator/swath/lint").glob("*.py"), *(ROOT / "generator/swath/load").glob("*.py")]
SOURCES += [ROOT / "generator/swath/model/graph.py", ROOT / "generator/swath/dvc_border/schema.py"]
RULE = re.compile(r'(?:Finding\(\s*[^"]*?|Observation\(\s*|rule = )"([a-z-]+)"')


def test_every_rule_is_documented() -> None:
    page = (ROOT / "docs/reference/lint-rules.md").read_text(encoding="utf-8")
    rules = {rule for source in SOURCES for rule in RULE.findall(source.read_text(encoding="utf-8"))}

    assert len(rules) > 20
    assert {rule for rule in rules if f"`{rule}`" not in page} == set()
