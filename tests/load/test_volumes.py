from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swath.errors import UserError
from swath.load.volumes import read_volumes
from swath.model.invocation import Volume

if TYPE_CHECKING:
    from pathlib import Path


def read(root: Path, text: str, **variables: str) -> dict[str, Volume]:
    (root / "swath.yaml").write_text(text)
    return read_volumes(root, variables)


def test_without_settings_there_are_none(tmp_path: Path) -> None:
    assert read_volumes(tmp_path, {}) == {}


@pytest.mark.parametrize("text", ["registry: x\n", "# volumes\n", "", "[volumes]"])
def test_without_the_key_there_are_none(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == {}


def test_paths_start_at_the_root_and_urls_stay(tmp_path: Path) -> None:
    volumes = read(
        tmp_path, "volumes:\n  a: {path: ../a}\n  b: {path: /b, read_only: false}\n  c: {path: 'https://h/c'}\n"
    )
    assert list(volumes.values()) == [
        Volume("a", f"{tmp_path}/../a"),
        Volume("b", "/b", read_only=False),
        Volume("c", "https://h/c"),
    ]


def test_a_variable_beats_the_file(tmp_path: Path) -> None:
    volumes = read(tmp_path, "volumes: {my-archive: {}}", SWATH_VOLUME_MY_ARCHIVE="/there")
    assert volumes == {"my-archive": Volume("my-archive", "/there")}


def test_the_other_keys_are_not_judged_here(tmp_path: Path) -> None:
    assert read(tmp_path, "nonsense: 5\nvolumes: {a: {path: /a}}") == {"a": Volume("a", "/a")}


def test_what_is_wrong_in_volumes_is_found(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, "registry: 5\nvolumes:\n  a: {pth: /a}\n  b: text\n")
    expected = "swath.yaml:3: volumes.a.pth: unknown key 'pth'\n  did you mean 'path'?\nswath.yaml:4: volumes.b: expected a mapping, got text"
    assert str(caught.value) == expected
