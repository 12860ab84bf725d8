"""Whatever the files say, lint answers with findings and never with a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from load.bad_workflows import BAD
from support.plain_repository import IGNORE, SPLIT, make_repository, with_split
from swath.dvc_border.repository import Repository
from swath.lint.apply import fix_repository
from swath.lint.check import check_repository

if TYPE_CHECKING:
    from swath.lint.problem import Problem

EXAMPLES = sorted((Path(__file__).parents[1] / "load/examples").glob("*.yaml"))
WORKFLOW = """\
vars:
  - list: [x, "y z"]
stages:
  a:
    foreach: ${list}
    do:
      cmd: swath exec split --input 'in/${item}' --size 20 --out "out/${item}"
      deps:
        - services/split
        - in/${item}
      outs:
        - out/${item}:
            cache: false
      meta: {swath: {timeout: 3h, resources: {gpus: 1}}}
  b:
    matrix: {m: [1, 2]}
    cmd:
      - swath exec split --input in.tif --out o/${item.m}
      - echo ${item.m}
    wdir: w
    params: [k, other.yaml: [x]]
    metrics: [m.json]
"""
SETTINGS = (
    "runners: [{gpus: 1}]\nservices: {split: {retries: 1}}\nvolumes: {v: {path: /x}}\nci: {workflows: [dvc.yaml]}\n"
)
TOKENS = [
    "",
    "null",
    "3",
    "[]",
    "{}",
    "''",
    "- x",
    "${nope}",
    "${item}",
    "&a",
    "*a",
    "\t",
    "\0",
    "é",
    "..",
    "/x",
    "true",
    "|",
    "$(x)",
]


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_workflow_has_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path, with_split(BAD[name][0]))
    monkeypatch.chdir(tmp_path)

    assert any(problem.finding.severity == "error" for problem in check_repository(repository))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_have_no_errors(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if example.stem == "service_repo":
        pytest.skip("its services are only names")
    repository = make_repository(tmp_path, yaml.safe_load(example.read_text(encoding="utf-8")))
    monkeypatch.chdir(tmp_path)

    assert [problem.finding for problem in check_repository(repository) if problem.finding.severity == "error"] == []


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_change_of_a_file(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"dvc.yaml": WORKFLOW, "swath.yaml": SETTINGS, "services/split/service.yaml": SPLIT}
    name = data.draw(st.sampled_from(list(files)))
    for _ in range(data.draw(st.integers(1, 3))):
        files[name] = _changed(data, files[name])
    root = tmp_path_factory.mktemp("r")
    repository = make_repository(root, {**files, ".dvcignore": IGNORE}, track=False)
    monkeypatch.chdir(root)

    problems: tuple[Problem, ...] = check_repository(repository)

    left, _ = fix_repository(Repository(root), problems)
    assert {p.finding.rule for p in left if p.finding.rule in {"workflow", "schema"}} <= {
        p.finding.rule for p in problems
    }


def _changed(data: st.DataObject, text: str) -> str:
    """The text without a line, with one twice, or with a piece of one replaced."""
    lines = text.splitlines(keepends=True) or [""]
    position = data.draw(st.integers(0, len(lines) - 1))
    match data.draw(st.sampled_from(["drop", "double", "replace", "cut"])):
        case "drop":
            del lines[position]
        case "double":
            lines.insert(position, lines[position])
        case "cut":
            return text[: data.draw(st.integers(0, len(text)))]
        case _:
            words = lines[position].split(" ")
            words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.sampled_from(TOKENS))
            lines[position] = " ".join(words).rstrip("\n") + "\n"
    return "".join(lines)
