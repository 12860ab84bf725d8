"""Links of the docs to a place on a page lead to a heading that is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitLab makes of a page's headings."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        plain = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", plain)))
    return found


def linked() -> list[tuple[Path, str, str]]:
    """Page, target and anchor of each link with one."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    links = [(ROOT / name, *pair) for name in names for pair in LINK.findall((ROOT / name).read_text())]
    return [(page, target, anchor) for page, target, anchor in links if "://" not in target]


@pytest.mark.parametrize(("page", "target", "anchor"), linked(), ids=lambda value: str(value).removeprefix(str(ROOT)))
def test_the_heading_is_there(page: Path, target: str, anchor: str) -> None:
    there = page.parent / target if target else page
    assert anchor in anchors(there), sorted(anchors(there))


def test_there_are_such_links() -> None:
    assert len(linked()) > 5
