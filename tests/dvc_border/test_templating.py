"""`dvc_border/templating.py`: what DVC's resolver makes, group by group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from support.plain_repository import make_repository
from swath.dvc_border.repository import Repository
from swath.dvc_border.templating import Templated, resolve
from swath.errors import UserError

FULL: dict[str, Any] = {
    "vars": ["more.yaml", {"own": {"x": 1}}],
    "stages": {
        "plain": {"cmd": "echo ${lr} ${own.x} ${deep.a}", "deps": ["${deep.a}"]},
        "each": {"foreach": ["u", "v"], "do": {"cmd": "echo ${item}", "outs": ["${item}.txt"]}},
        "keyed": {"foreach": "${scenes}", "do": {"cmd": "echo ${key} ${item.n}"}},
        "grid": {"matrix": {"a": [1, 2], "b": ["x"]}, "cmd": "echo ${item.a} ${item.b} ${key}"},
        "local": {"cmd": "echo ${z}", "vars": [{"z": "ü"}]},
    },
}
FILES = {"params.yaml": "lr: 0.1\n", "more.yaml": "deep: {a: data}\nscenes: {p: {n: 1}, q: {n: 2}}\n"}


def opened(root: Path, document: dict[str, Any], files: dict[str, str | bytes] | None = None) -> Repository:
    return make_repository(
        root, {**(FILES if files is None else files), "dvc.yaml": yaml.safe_dump(document, sort_keys=False)}
    )


def test_stages_are_those_of_dvc_in_its_order(tmp_path: Path) -> None:
    repository = opened(tmp_path, FULL)
    ours = resolve(repository, "dvc.yaml", FULL)
    with Repo(str(tmp_path)) as repo:
        theirs = [(stage.name, stage.cmd) for stage in repo.index.stages]
    assert [(name, stage["cmd"]) for name, stage in ours.stages.items()] == theirs
    assert ours.unresolved == {}


def test_a_stage_knows_its_group(tmp_path: Path) -> None:
    groups = resolve(opened(tmp_path, FULL), "dvc.yaml", FULL).groups
    assert groups == {
        "plain": "plain", "each@u": "each", "each@v": "each", "keyed@p": "keyed", "keyed@q": "keyed", "grid@1-x": "grid",
        "grid@2-x": "grid", "local": "local",
    }  # fmt: skip


def test_files_that_were_read_are_named_from_the_root(tmp_path: Path) -> None:
    document = {"vars": ["../more.yaml", "here.yaml"], "stages": {"a": {"cmd": "${here}"}}}
    repository = make_repository(
        tmp_path, {"more.yaml": "x: 1\n", "sub/here.yaml": "here: ok\n", "sub/params.yaml": "p: 1\n"}
    )
    assert resolve(repository, "sub/dvc.yaml", document).vars_files == ("more.yaml", "sub/here.yaml", "sub/params.yaml")


def test_one_group_that_cannot_be_resolved_does_not_hide_the_others(tmp_path: Path) -> None:
    stages = {"bad": {"cmd": "${no}"}, "good": {"cmd": "true"}, "worse": {"foreach": "${lr}", "do": {"cmd": "x"}}}
    made = resolve(opened(tmp_path, {"stages": stages}), "dvc.yaml", {"stages": stages})
    assert list(made.stages) == ["good"]
    assert list(made.unresolved) == ["bad", "worse"]
    assert made.unresolved["bad"] == "failed to parse 'stages.bad.cmd' in 'dvc.yaml': Could not find 'no'"


@pytest.mark.parametrize("place", [".", "sub", "sub/deep", "/"])
def test_the_working_directory_means_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    stages = {"a": {"cmd": "${here} ${p}"}, "b": {"vars": ["deep/own.yaml"], "cmd": "${own}"}, "c": {"cmd": "${no}"}}
    document = {"vars": ["../more.yaml", "here.yaml"], "stages": stages}
    files = {"more.yaml": "x: 1\n", "sub/here.yaml": "here: ok\n", "sub/params.yaml": "p: 1\n", "params.yaml": "p: 9\n",
             "sub/deep/own.yaml": "own: mine\n", "here.yaml": "here: wrong\n"}  # fmt: skip
    repository = make_repository(tmp_path, files)
    monkeypatch.chdir(tmp_path / place)
    made = resolve(repository, "sub/dvc.yaml", document)
    assert {name: stage["cmd"] for name, stage in made.stages.items()} == {"a": "ok 1", "b": "mine"}
    assert made.vars_files == ("more.yaml", "sub/here.yaml", "sub/params.yaml")
    assert made.unresolved == {"c": "failed to parse 'stages.c.cmd' in 'sub/dvc.yaml': Could not find 'no'"}


@pytest.mark.parametrize(
    ("vars_", "message"),
    [
        ("no.yaml", "sub/dvc.yaml: vars: failed to parse 'vars' in 'sub/dvc.yaml': 'sub/no.yaml' does not exist"),
        ("deep", "sub/dvc.yaml: vars: failed to parse 'vars' in 'sub/dvc.yaml': 'sub/deep' is a directory"),
        ("bad.yaml", "sub/dvc.yaml: vars: unable to read: 'sub/bad.yaml', YAML file structure is corrupted"),
    ],
)
def test_messages_name_files_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vars_: str, message: str
) -> None:
    repository = make_repository(tmp_path, {"sub/deep/own.yaml": "x: 1\n", "sub/bad.yaml": "a: [\n"})
    monkeypatch.chdir("/")
    with pytest.raises(UserError) as caught:
        resolve(repository, "sub/dvc.yaml", {"vars": [vars_], "stages": {}})
    assert str(caught.value).partition("\n")[0] == message


def test_an_empty_foreach_makes_no_stages(tmp_path: Path) -> None:
    document = {"stages": {"each": {"foreach": [], "do": {"cmd": "x"}}}}
    assert resolve(opened(tmp_path, document), "dvc.yaml", document) == Templated({}, {}, ("params.yaml",), {})


def test_a_missing_vars_file_is_named(tmp_path: Path) -> None:
    document = {"vars": ["no.yaml"], "stages": {}}
    with pytest.raises(UserError) as caught:
        resolve(opened(tmp_path, document), "dvc.yaml", document)
    assert str(caught.value) == (
        "dvc.yaml: vars: failed to parse 'vars' in 'dvc.yaml': 'no.yaml' does not exist\n"
        "  correct `vars`, or bring the file back (git checkout -- FILE)"
    )


def test_a_missing_vars_file_may_stand_for_an_empty_one(tmp_path: Path) -> None:
    document = {"vars": ["no.yaml"], "stages": {"a": {"cmd": "true"}, "b": {"cmd": "${later}"}}}
    repository = opened(tmp_path, document)
    made = resolve(repository, "dvc.yaml", document, empty=frozenset({str(tmp_path / "no.yaml")}))
    assert list(made.stages) == ["a"]
    assert list(made.unresolved) == ["b"]


def test_a_vars_file_that_is_there_is_read_all_the_same(tmp_path: Path) -> None:
    document = {"vars": ["more.yaml"], "stages": {"a": {"cmd": "${deep.a}"}}}
    made = resolve(opened(tmp_path, document), "dvc.yaml", document, empty=frozenset({str(tmp_path / "more.yaml")}))
    assert made.stages["a"]["cmd"] == "data"


def test_the_document_is_not_changed(tmp_path: Path) -> None:
    document = yaml.safe_load(yaml.safe_dump(FULL))
    resolve(opened(tmp_path, FULL), "dvc.yaml", document)
    assert document == FULL
