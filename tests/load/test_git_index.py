"""The index as it is read here, against `git ls-files`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swath.load.git_index import common_folder, git_folder, tracked_modes

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=40),
    min_size=1,
    max_size=20,
    unique=True,
)


def git(root: Path, *words: str, data: bytes = b"") -> bytes:
    return subprocess.run(["git", *words], cwd=root, input=data, capture_output=True, check=True).stdout


def listed(root: Path) -> dict[str, int]:
    """What Git says."""
    rows = git(root, "ls-files", "-z", "--stage").decode().split("\0")[:-1]
    return {row.split("\t", 1)[1]: int(row.split(" ", 1)[0], 8) for row in rows}


@pytest.mark.parametrize("version", ["2", "4"])
def test_any_names(tmp_path_factory: pytest.TempPathFactory, version: str) -> None:
    """Entries are made without files, so that a name may be anything that Git takes."""
    root = tmp_path_factory.mktemp("any")
    git(root, "init", "-q")
    blob = git(root, "hash-object", "-w", "--stdin", data=b"x").decode().strip()

    @settings(max_examples=25, deadline=None)
    @given(NAMES, st.sampled_from(["100644", "100755", "120000"]))
    def check(names: list[str], mode: str) -> None:
        rows = [f"{mode} {blob}\tfolder/{name}\0" for name in names if name not in {".", "..", ".git"}]
        git(root, "read-tree", "--empty")
        git(root, "update-index", "-z", "--index-info", data="".join(rows).encode())
        git(root, "update-index", "--index-version", version)
        assert tracked_modes(root / ".git", root, "") == tracked_modes(root / ".git", root, "folder") == listed(root)

    check()


def test_only_what_is_below(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    for name in ("a/x", "ab/x", "a-b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    git(tmp_path, "add", "-A")
    assert tracked_modes(tmp_path / ".git", tmp_path, "a") == {"a/x": 0o100644}


def test_before_the_first_add(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert tracked_modes(tmp_path / ".git", tmp_path, "") == {}


def test_where_gits_folder_is(tmp_path: Path) -> None:
    root = tmp_path / "main"
    root.mkdir()
    git(root, "init", "-q")
    git(root, "-c", "user.name=T", "-c", "user.email=t@e", "commit", "-q", "--allow-empty", "-m", "x")
    git(root, "worktree", "add", "-q", "../other")
    (root / "deep/er").mkdir(parents=True)
    assert git_folder(root / "deep/er") == (root, root / ".git")
    found = git_folder(tmp_path / "other")
    assert found == (tmp_path / "other", root / ".git/worktrees/other")
    assert common_folder(found[1]).resolve() == root / ".git"
    assert git_folder(tmp_path) is None
