"""`dvc_border/params.py`: the values that DVC's `ParamsDependency` reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import pytest
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from support.plain_repository import make_repository
from swath.dvc_border.params import ParamsReader, merge_keys
from swath.errors import UserError
from swath.model.stage import ParamsRead

FILES: Final[dict[str, str | bytes]] = {
    "params.yaml": "lr: 1e-05\nyes: on\noct: 010\nnone: null\nday: 2020-01-01\nlist: [1, {b: 2}]\ndeep: {a: {b: x}}\n"
    "'dotted.key': 5\nanchor: &x {k: v}\nalias: *x\n",
    "p.json": '{"lr": 0.1, "list": [1, {"b": 2}], "deep": {"a": {"b": "ü"}}, "none": null}',
    "p.toml": 'lr = 0.1\nlist = [1, {b = 2}]\n[deep.a]\nb = "x"\n',
    "p.py": "lr = 0.1\nlist = [1, {'b': 2}]\nTUPLE = (1, 2)\n\nclass deep:\n    a = {'b': 'x'}\n",
}
KEYS: Final = ["lr", "list", "list.0", "list.1.b", "deep", "deep.a.b", "no", "deep.no", "list.7", "none", "dotted.key"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with parameter files of every kind."""
    folder = tmp_path_factory.mktemp("params")
    make_repository(folder, FILES)
    return folder


def theirs(root: Path, file: str, keys: list[str]) -> dict[str, Any]:
    """As DVC reads them."""
    here = os.getcwd()
    os.chdir(root)
    try:
        with Repo(str(root)) as repo:
            stage = type("Stage", (), {"repo": repo, "wdir": str(root)})()
            return dict(ParamsDependency(stage, file, keys).read_params())
    finally:
        os.chdir(here)


def ours(root: Path, file: str, keys: list[str]) -> dict[str, Any] | None:
    return ParamsReader(str(root)).values(ParamsRead(file, file, tuple(keys)))


@pytest.mark.parametrize("file", list(FILES))
def test_values_are_those_of_dvc(root: Path, file: str) -> None:
    values = ours(root, file, KEYS)
    assert values == theirs(root, file, KEYS)
    assert values is not None
    assert values["list.1.b"] == 2


@pytest.mark.parametrize("file", list(FILES))
def test_a_whole_file_is_that_of_dvc(root: Path, file: str) -> None:
    assert ours(root, file, []) == theirs(root, file, [])


@pytest.mark.parametrize("key", ["deep.*.b", "day", "oct", "yes", "anchor.k", "alias.k", "", "deep..b", "deep."])
def test_odd_keys_are_those_of_dvc(root: Path, key: str) -> None:
    assert ours(root, "params.yaml", [key]) == theirs(root, "params.yaml", [key])


@pytest.mark.parametrize("key", ["a[b]", "x*", "?", "deep.x[0]"])
def test_a_key_with_signs_of_patterns_is_a_pattern(tmp_path: Path, key: str) -> None:
    """DVC never finds `a[b]` by its own name: it finds `ab`."""
    text = '{"a[b]": 1, "ab": 2, "x*": 3, "xy": 4, "?": 5, "q": 6, "deep": {"x[0]": 7, "x0": 8}}'
    make_repository(tmp_path, {"p.json": text})
    try:
        expected = theirs(tmp_path, "p.json", [key])
    except ValueError:  # several match
        expected = {}
    assert ours(tmp_path, "p.json", [key]) == expected


def test_a_pattern_of_several_values_is_as_missing(root: Path) -> None:
    with pytest.raises(ValueError, match="globs must match only one leaf"):
        theirs(root, "params.yaml", ["list.*"])
    assert ours(root, "params.yaml", ["list.*"]) == {}


def test_values_come_in_the_order_of_the_keys(root: Path) -> None:
    assert list(ours(root, "params.yaml", ["none", "deep", "lr"]) or ()) == ["none", "deep", "lr"]


@pytest.mark.parametrize("file", ["no.yaml", "no/params.yaml", "params.yaml/inner"])
def test_a_missing_file_has_no_values(root: Path, file: str) -> None:
    assert ours(root, file, ["lr"]) is None


@pytest.mark.parametrize("text", ["- 1\n", "text\n", "5\n"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        ours(tmp_path, "p.yaml", ["lr"])
    assert str(caught.value) == "p.yaml: expected a mapping\n  a parameter file has keys at its top level"


def test_an_empty_file_has_no_keys(tmp_path: Path) -> None:
    make_repository(tmp_path, {"p.yaml": ""})
    assert theirs(tmp_path, "p.yaml", ["lr"]) == {}
    assert ours(tmp_path, "p.yaml", ["lr"]) == {}
    assert ours(tmp_path, "p.yaml", []) == {}


@pytest.mark.parametrize(("file", "text"), [("p.json", "{"), ("p.toml", "a = "), ("p.py", "a = (")])
def test_a_broken_file_is_named(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(UserError) as caught:
        ours(tmp_path, file, ["lr"])
    assert str(caught.value).startswith(f"{file}: cannot be read: ")
    assert str(caught.value).endswith("\n  correct the file")


@pytest.mark.parametrize("file", ["p.yaml", "p.json"])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"\xff\xfe")
    with pytest.raises(UserError) as caught:
        ours(tmp_path, file, ["lr"])
    assert str(caught.value).startswith(f"{file}: cannot be read: ")


def test_a_folder_is_no_parameter_file(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").mkdir()
    with pytest.raises(UserError) as caught:
        ours(tmp_path, "p.yaml", ["lr"])
    message = f"p.yaml: cannot be read: [Errno 21] Is a directory: '{tmp_path}/p.yaml'\n  correct the file"
    assert str(caught.value) == message


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    reader = ParamsReader(str(tmp_path))
    read = ParamsRead("p.yaml", "p.yaml", ("lr",))
    (tmp_path / "p.yaml").write_text("lr: 1\n")
    assert reader.values(read) == {"lr": 1}
    (tmp_path / "p.yaml").write_text("lr: 100\n")
    assert reader.values(read) == {"lr": 100}


def test_keys_of_one_file_are_brought_together() -> None:
    items: list[Any] = ["lr", {"more.json": ["a"]}, "deep.x", {"params.yaml": ["y"]}, {"more.json": ["b"]}, {"w": None}]
    assert merge_keys(items) == {"params.yaml": ("lr", "deep.x", "y"), "more.json": ("a", "b"), "w": ()}


def test_a_whole_file_beats_its_keys() -> None:
    assert merge_keys(["lr", {"params.yaml": []}, {"more.json": ["a"]}, {"more.json": None}]) == {
        "params.yaml": (), "more.json": (),
    }  # fmt: skip
