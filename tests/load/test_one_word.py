"""`load/one_word.py`: a templated value of a `swath exec` command stays one shell word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.plain_repository import make_repository
from swath.errors import Finding
from swath.load.workflows import read_workflow


def findings(root: Path, value: Any, **stage: Any) -> tuple[Finding, ...]:
    """What is found in a stage that uses `value`."""
    definition = {"cmd": "swath exec split -- --input ${value}", **stage}
    document = {"stages": {"a": definition}}
    files = {"dvc.yaml": yaml.safe_dump(document, sort_keys=False), "params.yaml": yaml.safe_dump({"value": value})}
    return read_workflow(make_repository(root, files), "dvc.yaml")[1]


@pytest.mark.parametrize("value", ["in.tif", "a/b-c_d.e", "1e-3", 5, 0.1, "ü"])
def test_a_word_passes(tmp_path: Path, value: Any) -> None:
    assert findings(tmp_path, value) == ()


@pytest.mark.parametrize("value", ["1; touch x", "a b", "$(id)", "`id`", "a|b", "a > b", "a && b", "*", "a'b", ""])
def test_what_is_no_word_is_found(tmp_path: Path, value: str) -> None:
    (found,) = findings(tmp_path, value)
    assert found.rule == "one-word"
    assert str(found.place) == "dvc.yaml:3: stages.a.cmd"
    assert found.message.startswith("stage a: ")
    assert found.hint


def test_quotes_around_it_do_not_let_code_in(tmp_path: Path) -> None:
    assert findings(tmp_path, "a' ; touch x '", cmd="swath exec split -- --input '${value}'")


def test_a_command_without_swath_is_dvcs_business(tmp_path: Path) -> None:
    assert findings(tmp_path, "1; touch x", cmd="echo ${value}") == ()


def test_only_the_command_that_uses_it_is_found(tmp_path: Path) -> None:
    cmd = ["echo ${value}", "swath exec split -- --input in.tif", "swath exec split -- --input ${value}"]
    assert len(findings(tmp_path, "a b", cmd=cmd)) == 1


def test_each_stage_of_a_group_is_looked_at(tmp_path: Path) -> None:
    document = {"stages": {"a": {"foreach": ["x", "y z", "w"], "do": {"cmd": "swath exec s -- --i ${item}"}}}}
    repository = make_repository(tmp_path, {"dvc.yaml": yaml.safe_dump(document, sort_keys=False)})
    (found,) = read_workflow(repository, "dvc.yaml")[1]
    assert str(found.place) == "dvc.yaml:8: stages.a.do.cmd"
    assert "stage a@y z: " in found.message
