"""`swath lint --fix`: only the wanted lines come in, everything else stays to the byte."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.plain_repository import make_repository, with_split
from swath.errors import Finding, Place
from swath.lint.apply import fix_repository
from swath.lint.check import check_repository
from swath.lint.fix import mended
from swath.lint.problem import Problem, Repair
from swath.schema import yaml12

if TYPE_CHECKING:
    from pathlib import Path


def _mended(text: str, *repairs: Repair) -> str:
    problems = [Problem(Finding(Place("dvc.yaml"), "x", str(n)), repair) for n, repair in enumerate(repairs)]
    changed, _ = mended(problems, {"dvc.yaml": text})
    return changed.get("dvc.yaml", text)


def _repair(
    section: str = "deps", path: str = "new", *, first: bool = False, steps: tuple[str, ...] = ("stages", "a")
) -> Repair:
    return Repair("dvc.yaml", "a", steps, section, path, first)  # type: ignore[arg-type]  # a literal


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    deps:\n    - x # c\n    # d\n", "    deps:\n    - x # c\n    - new\n    # d\n"),
        ("    deps:\n      - x\n\n    outs: [o]\n", "    deps:\n      - x\n      - new\n\n    outs: [o]\n"),
        ("    deps: [x, 'y z'] # c\n", "    deps: # c\n      - x\n      - 'y z'\n      - new\n"),
        ("    deps: []\n", "    deps:\n      - new\n"),
        ('    deps:\n    - "x"\n    - |-\n      y\n', '    deps:\n    - "x"\n    - |-\n      y\n    - new\n'),
        ("    outs: [o]\n", "    deps:\n      - new\n    outs: [o]\n"),
        ("    wdir: w\n    outs: [o]\n", "    wdir: w\n    deps:\n      - new\n    outs: [o]\n"),
        ("", "    deps:\n      - new\n"),
    ],
)
@pytest.mark.parametrize(
    "cmd", ["x", ">-\n      x\n      y", "|\n      x\n\n      y", "'x\n      y'", "[x, y]", "\n      - x\n      - y"]
)
def test_deps_come_in(cmd: str, before: str, after: str) -> None:
    head, tail = f"# top\nstages:\n  a: # here\n    cmd: {cmd}\n", "  # end\n  b: {cmd: x}\n"

    assert _mended(head + before + tail, _repair()) == head + after + tail


def test_the_service_stands_first() -> None:
    text = "stages:\n  a:\n    cmd: x\n    deps:\n      # data\n      - x\n"

    assert _mended(text, _repair(path="services/s", first=True)) == text.replace(
        "      - x", "      - services/s\n      - x"
    )


def test_below_do() -> None:
    text = "stages:\n  a:\n    foreach: [1]\n    do:\n      cmd: x\n"

    assert (
        _mended(text, _repair("outs", "o/${item}", steps=("stages", "a", "do")))
        == text + "      outs:\n        - o/${item}\n"
    )


@pytest.mark.parametrize(
    "path", ["a b", "é", "-x", "'q", "a: b", "#x", "true", "1", "1e3", "[x]", "${a b}", "x ", "a\\b", '"', "*x", "~"]
)
def test_odd_paths_are_quoted_where_they_must(path: str) -> None:
    text = "stages:\n  a:\n    cmd: x\n"

    value = yaml12.parse(_mended(text, _repair(path=path)), "dvc.yaml")

    assert value == {"stages": {"a": {"cmd": "x", "deps": [path]}}}


@pytest.mark.parametrize(
    "text",
    [
        "stages: {a: {cmd: x, deps: [y]}}\n",
        "stages:\n  a: {cmd: x}\n",
        "stages:\n  a:\n    cmd: x\n    deps: [x, # c\n      y]\n",
        "base: &b [x]\nstages:\n  a:\n    cmd: x\n    deps: *b\n",
        "stages:\n  z: &z\n    cmd: x\n    deps:\n      - y\n  a: *z\n",
        "stages:\n  other: {cmd: x}\n",
    ],
)
def test_what_is_not_safe_is_left(text: str) -> None:
    assert _mended(text, _repair()) == text


def test_a_file_without_a_last_line_end() -> None:
    text = "stages:\n  a:\n    cmd: x"

    assert _mended(text, _repair()) == text + "\n    deps:\n      - new\n"


PIECES = st.sampled_from(
    ["    deps:\n      - d1\n      - d2\n", "    deps: [d1]\n", "    outs:\n    - o1\n", "    outs:\n    - o2:\n        cache: false\n",
     "    params: [p]\n", "    # note\n", "\n", "    desc: >\n      some\n      text\n", "    meta: {a: 1}\n"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PIECES, max_size=5, unique_by=lambda piece: piece.split(":")[0]),
    st.sampled_from(["deps", "outs"]),
    st.booleans(),
)
def test_only_lines_are_added(pieces: list[str], section: str, is_first: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    text = "stages:\n  a:\n    cmd: x\n" + "".join(pieces) + "  b:\n    cmd: y\n"

    after = _mended(text, _repair(section, first=is_first))

    value = yaml12.parse(after, "dvc.yaml")
    entries = value["stages"]["a"][section]  # type: ignore[index, call-overload]
    assert entries[0 if is_first else -1] == "new"
    kept = [line for line in text.splitlines() if f"{section}: [" not in line]
    assert [line for line in after.splitlines() if line in kept] == kept


BROKEN = """\
# kept
stages:
  a:
    foreach: [x, "y z"]
    do:
      cmd: >-
        swath exec split --input 'in/${item}.tif'
        --out 'out/${item}'
"""


def _repository(root: Path, dvc_yaml: str) -> list[Problem]:
    files = with_split(dvc_yaml, {"in/x.tif": "", "in/y z.tif": "", ".dvcignore": "# mine\n*.tmp"})
    repository = make_repository(root, files)
    os.chdir(root)
    return list(check_repository(repository))


def test_a_repository_is_right_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    problems = _repository(tmp_path, BROKEN)
    (tmp_path / "dvc.yaml").chmod(0o640)

    from swath.dvc_border.repository import Repository

    left, fixed = fix_repository(Repository(tmp_path), problems)

    assert left == ()
    assert [str(each) for each in fixed] == [
        ".dvcignore: + services/*/tests",
        ".dvcignore: + services/*/README*",
        ".dvcignore: + __pycache__",
        ".dvcignore: + .gitignore",
        "dvc.yaml: stages.a.do.deps: + in/${item}.tif",
        "dvc.yaml: stages.a.do.outs: + out/${item}",
        "dvc.yaml: stages.a.do.deps: + services/split",
    ]
    assert (tmp_path / "dvc.yaml").read_text() == BROKEN + (
        "      deps:\n        - services/split\n        - in/${item}.tif\n      outs:\n        - out/${item}\n"
    )
    assert (tmp_path / ".dvcignore").read_text() == (
        "# mine\n*.tmp\nservices/*/tests\nservices/*/README*\n__pycache__\n.gitignore\n"
    )
    assert (tmp_path / "dvc.yaml").stat().st_mode & 0o777 == 0o640
    assert not list(tmp_path.glob(".dvc.yaml.*"))


def test_a_dep_that_would_close_a_circle_is_not_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = """\
stages:
  a:
    cmd: swath exec split --input late --out early
    deps:
      - services/split
    outs:
      - early
  b:
    cmd: x
    deps: [early]
    outs: [late]
"""
    problems = _repository(tmp_path, text)
    from swath.dvc_border.repository import Repository

    left, fixed = fix_repository(Repository(tmp_path), problems)

    assert fixed == ()
    assert list(left) == problems
    assert (tmp_path / "dvc.yaml").read_text() == text
    assert (tmp_path / ".dvcignore").read_text() == "# mine\n*.tmp"


def test_an_output_that_git_tracks_is_not_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "stages:\n  a:\n    cmd: swath exec split --input in/x.tif --out in\n    deps: [services/split]\n"

    problems = _repository(tmp_path, text)

    assert {problem.finding.rule for problem in problems if not problem.repair} >= {"output-out"}
