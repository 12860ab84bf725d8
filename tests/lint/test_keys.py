"""`lint/keys.py`: keys that DVC does not find again."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.plain_repository import make_repository
from support.repositories import Bench
from swath.lint.check import check_repository

HINT = "take other keys: `dvc status`, `dvc pull` and `dvc repro` fail in the whole repository"
LIST = "stages:\n  s:\n    foreach: [{items}]\n    do: {{cmd: 'echo > ${{item}}.txt', outs: ['${{item}}.txt']}}\n"
MATRIX = "stages:\n  m:\n    matrix: {x: [p@q]}\n    cmd: echo > ${item.x}.txt\n    outs: ['${item.x}.txt']\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LIST.format(items="a, b"), []),
        (LIST.format(items="a@b"), ["stages.s.do: DVC does not find the stage 's@a@b' again: its key has an '@'"]),
        (
            LIST.format(items="a@b, c, d@"),
            ["stages.s.do: DVC does not find the stage 's@a@b' again: its key has an '@' (s@a@b; 1 more like it)"],
        ),
        (MATRIX, ["stages.m: DVC does not find the stage 'm@p@q' again: its key has an '@'"]),
    ],
)
def test_keys(tmp_path: Path, text: str, expected: list[str]) -> None:
    problems = check_repository(make_repository(tmp_path, {"dvc.yaml": text}))
    found = [p.finding for p in problems if p.finding.rule == "key"]
    assert [f"{f.place.key}: {f.message}" for f in found] == expected
    assert {(f.severity, f.hint) for f in found} == ({("warning", HINT)} if expected else set())


def test_dvc_does_not_find_them_again(tmp_path: Path) -> None:
    """The reason for the rule; when this fails, DVC has learnt it, and the rule can go."""
    make_repository(tmp_path, {"dvc.yaml": LIST.format(items="a@b, c")})
    result = Bench(tmp_path).command("dvc", "status", check=False)
    assert (result.returncode, result.stderr) == (1, "ERROR: Stage 's@a@b' not found inside 'dvc.yaml' file\n")
