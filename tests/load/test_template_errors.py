"""`load/template_errors.py`: a value that DVC's templates refuse is an error with its file, line and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.plain_repository import make_repository
from swath.errors import FindingsError
from swath.load.workflows import load_workflows

if TYPE_CHECKING:
    from pathlib import Path

STAGE = "stages:\n  s:\n    cmd: echo ${x}\n"
HINT = "\n  put it in quotes; allowed are text, numbers, true, false, null, lists and mappings"
REFUSED = {
    "params.yaml": (
        {"params.yaml": "a: 1\nx: {y: [1, 2020-01-01]}\n", "dvc.yaml": STAGE},
        "params.yaml:2: x.y[1]: a date",
    ),
    "not used": ({"params.yaml": "x: 1\nd: 2020-01-01\n", "dvc.yaml": STAGE}, "params.yaml:2: d: a date"),
    "vars file": ({"v.yaml": "x: !!set {a}\n", "dvc.yaml": f"vars: [v.yaml]\n{STAGE}"}, "v.yaml:1: x: a set"),
    "TOML": ({"v.toml": "x = 07:32:00\n", "dvc.yaml": f"vars: [v.toml]\n{STAGE}"}, "v.toml: x: a time"),
    "Python": ({"v.py": "x = (1, 2)\n", "dvc.yaml": f"vars: [v.py]\n{STAGE}"}, "v.py: x: a tuple"),
    "inline": ({"dvc.yaml": f"vars:\n- a: 1\n- x:\n    y: 2020-01-01\n{STAGE}"}, "dvc.yaml:4: vars[1].x.y: a date"),
    "stage's vars": (
        {"dvc.yaml": "stages:\n  s:\n    vars:\n    - x: 2020-01-01\n    cmd: echo ${x}\n"},
        "dvc.yaml:4: stages.s.vars[0].x: a date",
    ),
    "foreach list": (
        {"dvc.yaml": "stages:\n  s:\n    foreach: [[2020-01-01]]\n    do:\n      cmd: echo\n"},
        "dvc.yaml:2: stages.s: a date",
    ),
    "foreach mapping": (
        {"dvc.yaml": "stages:\n  s:\n    foreach: {a: {d: 2020-01-01}}\n    do:\n      cmd: echo ${item.d}\n"},
        "dvc.yaml:2: stages.s: a date",
    ),
    "matrix": (
        {"dvc.yaml": "stages:\n  s:\n    matrix: {m: [{a: 2020-01-01}]}\n    cmd: echo\n"},
        "dvc.yaml:2: stages.s: a date",
    ),
    "in a folder": ({"f/params.yaml": "x: 2020-01-01\n", "f/dvc.yaml": STAGE}, "f/params.yaml:1: x: a date"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_value_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, message = REFUSED[name]
    repository = make_repository(tmp_path, files)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FindingsError) as caught:
        load_workflows(repository)

    assert str(caught.value) == f"{message} cannot be used in a workflow{HINT}"


def test_vars_that_are_nested_too_deeply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"v.json": '{"x": ' + "[" * 500 + "]" * 500 + "}", "dvc.yaml": f"vars: [v.json]\n{STAGE}"}
    repository = make_repository(tmp_path, files)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FindingsError) as caught:
        load_workflows(repository)

    assert "nested too deeply" in str(caught.value)
