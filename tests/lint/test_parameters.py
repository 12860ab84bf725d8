"""`lint/parameters.py`: values that DVC cannot record are found before a stage runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.plain_repository import make_repository
from swath.lint.check import check_repository

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW = """\
stages:
  a: {cmd: x, params: [p.yaml: [d]], outs: [a]}
  b: {cmd: x, params: [p.yaml: [d]], outs: [b]}
  c: {cmd: x, params: [p.yaml: [d]]}
  f: {cmd: x, params: [p.yaml: [d]], outs: [f], frozen: true}
  g: {cmd: x, params: [made.yaml: [d]], outs: [g]}
  m: {cmd: x, outs: [made.yaml]}
  q: {cmd: x, params: [broken.json: [d]], outs: [q]}
  r: {cmd: x, params: [missing.yaml: [d]], outs: [r]}
"""
BROKEN = (
    "broken.json: cannot be read: JSON file structure is corrupted: "
    "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
)


def test_each_value_is_told_once(tmp_path: Path) -> None:
    date = "d: {e: [2020-01-01]}\n"
    files = {"dvc.yaml": WORKFLOW, "p.yaml": date, "made.yaml": date, "broken.json": "{"}
    repository = make_repository(tmp_path, files)

    told = [str(p.finding) for p in check_repository(repository) if p.finding.rule == "parameter"]

    assert [line.splitlines()[0] for line in told] == [BROKEN, "p.yaml: d.e[0]: a date: DVC cannot record it"]
