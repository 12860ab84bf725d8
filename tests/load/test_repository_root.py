from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swath.errors import UserError
from swath.load.repository_root import find_dvc_root, find_root

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("marker", [".dvc", ".git"])
def test_the_nearest_above_is_found(tmp_path: Path, marker: str) -> None:
    (tmp_path / "a" / marker).mkdir(parents=True)
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert find_root(tmp_path / "a/b/c") == tmp_path / "a"


def test_a_dvc_repository_beats_a_nearer_git_one(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "a/.git").mkdir(parents=True)
    assert find_root(tmp_path / "a") == tmp_path


def test_a_git_worktree_counts(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    assert find_root(tmp_path) == tmp_path


def test_a_link_to_the_repository_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real/.dvc").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    assert find_root(tmp_path / "link") == tmp_path / "real"


def test_outside_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        find_root(tmp_path)
    assert (
        str(caught.value)
        == f"{tmp_path} is in no repository: no folder above has .dvc or .git\n  `git init` and `dvc init`"
    )


@pytest.mark.parametrize("start", [".", "sub", "sub/deep"])
def test_the_root_of_a_dvc_repository_is_found_from_below(tmp_path: Path, start: str) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "sub/deep/.git").mkdir(parents=True)
    assert find_dvc_root(tmp_path / start) == tmp_path


def test_outside_a_dvc_repository_the_way_to_one_is_told(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(UserError) as caught:
        find_dvc_root(tmp_path)
    assert str(caught.value) == "not inside a DVC repository\n  go to one, or make one with: git init && dvc init"
