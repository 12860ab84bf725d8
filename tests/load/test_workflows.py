"""dvc.yaml files: whole messages for what is wrong, and the stages of what is unusual but right."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from load.bad_workflows import BAD
from support.plain_repository import make_repository
from swath.errors import FindingsError, UserError
from swath.load.workflows import Loaded, load_workflows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def _load(root: Path, files: Mapping[str, str | bytes], monkeypatch: pytest.MonkeyPatch) -> Loaded:
    repository = make_repository(root, files)
    monkeypatch.chdir(root)
    return load_workflows(repository)


def _stages(root: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    return _load(root, {"dvc.yaml": text}, monkeypatch)


@pytest.mark.parametrize("name", BAD)
def test_the_whole_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, message = BAD[name]

    with pytest.raises(FindingsError) as caught:
        _stages(tmp_path, text, monkeypatch)

    assert str(caught.value) == message


def test_bytes_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FindingsError, match=r"^dvc\.yaml: cannot be read: 'utf-8' codec can't decode byte 0xe9"):
        _load(tmp_path, {"dvc.yaml": "cmd: \xe9".encode("latin-1")}, monkeypatch)


def test_several_files_are_reported_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "dvc.yaml": "stages: [\n",
        "a/dvc.yaml": "stages:\n  x: {cm: y}\n",
        "b/dvc.yaml": "stages:\n  x: {cmd: y}\n",
    }

    with pytest.raises(FindingsError) as caught:
        _load(tmp_path, files, monkeypatch)

    assert [(f.place.file, f.place.line) for f in caught.value.findings] == [
        ("a/dvc.yaml", 2),
        ("a/dvc.yaml", 2),
        ("dvc.yaml", 2),
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "stages: {}\n", "plots: []\n", "vars: []\n", "artifacts: {}\n"])
def test_no_stages(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _stages(tmp_path, text, monkeypatch).graph.stages == {}


@pytest.mark.parametrize(
    "path", ["a b", "q'q", 'd"q', "$x", "n\nl", "é", "-d", "--", "~", "#x", "a:b", "a;b", "*", "[x]", " lead", "x\\y"]
)
def test_odd_paths_stay_as_they_are(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    text = f"stages:\n  a: {{cmd: x, deps: [{json.dumps(path)}], outs: [{json.dumps(path + '.out')}]}}\n"

    stage = _stages(tmp_path, text, monkeypatch).graph.stages["a"]

    assert [dep.path for dep in stage.deps] == [path]
    assert [out.path for out in stage.outs] == [path + ".out"]


def test_dots_are_taken_out_of_paths_and_kept_in_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "stages:\n  a: {cmd: x, wdir: w, deps: [../d/./e/../f, ../../out]}\n"

    stage = _stages(tmp_path / "r", text, monkeypatch).graph.stages["a"]

    assert [(dep.path, dep.text) for dep in stage.deps] == [
        ("d/f", "../d/./e/../f"),
        (str(tmp_path / "out"), "../../out"),
    ]


def test_an_absolute_wdir_inside_is_one_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"stages:\n  a: {{cmd: x, wdir: {tmp_path}/w, outs: [o]}}\n  b: {{cmd: y, deps: [w/o]}}\n"
    graph = _stages(tmp_path, text, monkeypatch).graph

    assert graph.stages["a"].wdir == "w"
    assert [(out.path, out.text) for out in graph.stages["a"].outs] == [("w/o", "o")]
    assert list(graph.upstream["b"]) == ["a"]


def test_names_from_a_list_that_is_made_by_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """\
vars: [list.yaml]
stages:
  search: {cmd: x, outs: [{list.yaml: {cache: false}}]}
  get: {foreach: "${names}", do: {cmd: "y ${item}"}}
"""
    loaded = _stages(tmp_path, text, monkeypatch)

    assert list(loaded.graph.stages) == ["search"]
    assert loaded.generators == ("search",)
    assert list(loaded.pending) == ["dvc.yaml: get"]


def test_ten_thousand_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "vars: [n.yaml]\nstages:\n  a: {foreach: '${n}', do: {cmd: 'x ${item}', outs: ['o/${item}']}}\n"
    files = {"dvc.yaml": text, "n.yaml": f"n: {list(range(10_000))}\n"}

    assert len(_load(tmp_path, files, monkeypatch).graph.stages) == 10_000


def test_a_long_chain_needs_no_deep_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = "".join(f"  s{n}: {{cmd: x, deps: [o{n + 1}], outs: [o{n}]}}\n" for n in range(2_000))

    graph = _stages(tmp_path, f"stages:\n{links}", monkeypatch).graph

    assert next(iter(graph.stages)) == "s1999"
    assert os.getcwd() == str(tmp_path)


def test_shell_code_below_foreach_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "stages:\n  a:\n    foreach: [b, 'c d']\n    do:\n      cmd: swath exec s --x ${item}\n"

    with pytest.raises(FindingsError) as caught:
        _stages(tmp_path, text, monkeypatch)

    assert str(caught.value) == (
        "dvc.yaml:5: stages.a.do.cmd: stage a@c d: the value 'c d' of ${item} does not stay one shell word "
        "without quotes: it holds ' '\n  quote it: '${item}'"
    )


def test_a_dep_may_stand_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = _stages(tmp_path, "stages:\n  a: {cmd: x, deps: [o, ./o]}\n", monkeypatch).graph.stages["a"]

    assert [(dep.path, dep.text) for dep in stage.deps] == [("o", "o"), ("o", "./o")]


def test_a_broken_params_file_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FindingsError) as caught:
        _load(tmp_path, {"dvc.yaml": "stages:\n  a: {cmd: x}\n", "params.yaml": "p: 1\na: [\n"}, monkeypatch)

    assert str(caught.value) == (
        "params.yaml:3: not YAML: while parsing a flow node did not find expected node content\n"
        "  correct the line, or the one before it"
    )


def test_a_dvcignore_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"\.dvcignore cannot be read: 'utf-8' codec"):
        _load(tmp_path, {"dvc.yaml": "stages: {}\n", ".dvcignore": b"\xff"}, monkeypatch)
