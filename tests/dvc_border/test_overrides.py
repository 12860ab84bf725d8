"""`dvc_border/overrides.py`: -S as DVC takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import yaml

from support.plain_repository import make_repository
from swath.dvc_border.overrides import apply_overrides, overridden
from swath.errors import UserError

PARAMS: Final = "# the learning rate\nlr: 0.1  # small\ndeep:\n  size: 3\n  names: [a, b]\nz: last\n"
FILES: Final = {"params.yaml": PARAMS, "sub/more.yaml": "x: 1\n", "p.json": '{"x": 1}\n', "p.toml": "x = 1\n"}


def test_a_value_is_set_and_comments_stay(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, FILES)
    assert apply_overrides(repository, ["lr=0.5", "deep.size=4"]) == ["params.yaml"]
    text = (tmp_path / "params.yaml").read_text()
    expected = PARAMS.replace("0.1", "0.5").replace("size: 3", "size: 4")
    assert text.replace("\n  - a\n  - b", " [a, b]").replace("  names:\n", "  names: ") == expected


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("lr=1e-3", {"lr": 0.001}),
        ("deep.names=[c]", {"deep": {"size": 3, "names": ["c"]}}),
        ("z='a b, ü'", {"z": "a b, ü"}),
        ("z=null", {"z": None}),
        ("+new=true", {"new": True}),
        ("~z", {}),
        ("deep={size: 9}", {"deep": {"size": 9, "names": ["a", "b"]}}),
    ],
)
def test_values_have_hydras_grammar(tmp_path: Path, override: str, expected: dict[str, object]) -> None:
    apply_overrides(make_repository(tmp_path, FILES), [override])
    before = yaml.safe_load(PARAMS)
    if override == "~z":
        before.pop("z")
    assert yaml.safe_load((tmp_path / "params.yaml").read_text()) == {**before, **expected}


@pytest.mark.parametrize(("file", "text"), [("sub/more.yaml", "x: 2\n"), ("p.json", '{"x": 2}'), ("p.toml", "x = 2\n")])
def test_another_file_is_set(tmp_path: Path, file: str, text: str) -> None:
    assert apply_overrides(make_repository(tmp_path, FILES), [f"{file}:x=2"]) == [file]
    assert (tmp_path / file).read_text().strip() == text.strip()
    assert (tmp_path / "params.yaml").read_text() == PARAMS


def test_a_value_that_is_set_already_changes_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"params.yaml": "lr: 0.1\n"})
    assert apply_overrides(repository, ["lr=0.1"]) == []


def test_values_are_set_within_a_block_alone(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, FILES)
    modified_ns = (tmp_path / "params.yaml").stat().st_mtime_ns

    with overridden(repository, ["lr=0.5", "p.json:x=2"]) as changed:
        assert changed == ["params.yaml", "p.json"]
        assert yaml.safe_load((tmp_path / "params.yaml").read_text())["lr"] == 0.5

    assert (tmp_path / "params.yaml").read_text() == PARAMS
    assert (tmp_path / "params.yaml").stat().st_mtime_ns == modified_ns
    assert (tmp_path / "p.json").read_text() == FILES["p.json"]


def test_values_are_put_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), overridden(make_repository(tmp_path, FILES), ["lr=0.5"]):
        raise KeyError

    assert (tmp_path / "params.yaml").read_text() == PARAMS


@pytest.mark.parametrize("overrides", [["no=1"], ["lr=0.5", "deep.no=1"], ["lr=[1"], ["=1"], ["lr=0.5", "+lr=["]])
def test_a_bad_override_leaves_the_file(tmp_path: Path, overrides: list[str]) -> None:
    repository = make_repository(tmp_path, FILES)
    with pytest.raises(UserError):
        apply_overrides(repository, overrides)
    assert (tmp_path / "params.yaml").read_text() == PARAMS


def test_a_bad_override_of_one_file_leaves_the_others(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, FILES)
    with pytest.raises(UserError):
        apply_overrides(repository, ["lr=0.5", "sub/more.yaml:no=1"])
    assert (tmp_path / "params.yaml").read_text() == PARAMS
    assert (tmp_path / "sub/more.yaml").read_text() == "x: 1\n"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lr", "-S 'lr' has no value\n  write it as -S KEY=VALUE or -S FILE:KEY=VALUE"),
        ("no.yaml:lr=1", "-S: there is no parameter file no.yaml\n  name it as -S FILE:KEY=VALUE"),
        ("sub:lr=1", "-S: there is no parameter file sub\n  name it as -S FILE:KEY=VALUE"),
    ],
)
def test_a_malformed_override_is_named(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        apply_overrides(make_repository(tmp_path, FILES), [override])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("override", "file"),
    [("lr=range(1,3)", "params.yaml"), ("p.toml:x=null", "p.toml"), ("p.json:x=range(1,3)", "p.json")],
)
def test_a_value_that_a_file_cannot_hold_is_named(tmp_path: Path, override: str, file: str) -> None:
    """None in TOML; a sweep, which only a queue of experiments can take."""
    repository = make_repository(tmp_path, FILES)
    with pytest.raises(UserError, match=rf"-S .*: {file} cannot hold this value: "):
        apply_overrides(repository, [override])

    assert {name: (tmp_path / name).read_text() for name in FILES} == FILES


@pytest.mark.parametrize(("override", "key"), [("no=1", "no"), ("deep.no=1", "deep.no")])
def test_an_unknown_key_is_named(tmp_path: Path, override: str, key: str) -> None:
    with pytest.raises(UserError) as caught:
        apply_overrides(make_repository(tmp_path, FILES), [override])
    assert key.rpartition(".")[2] in str(caught.value)
    assert str(caught.value).endswith(("write it as -S KEY=VALUE or -S FILE:KEY=VALUE, with a key that the file has",))
