"""`dvc_border/repository.py` agrees with DVC's own `Repo`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from dvc.repo import Repo

from support.plain_repository import commit, make_repository
from swath.dvc_border.repository import Repository
from swath.errors import UserError

STAGE = "stages:\n  {name}:\n    cmd: 'true'\n"
DATA = "outs:\n- md5: {value}\n  path: {path}\n  hash: md5\n  size: 1\n"


def workflow(name: str) -> str:
    return STAGE.format(name=name)


def opened(root: Path, files: Mapping[str, str], config: str = "") -> Repository:
    """A repository with these files and settings."""
    make_repository(root, files)
    (root / ".dvc/config").write_text(config)
    return Repository(root)


def their_files(root: Path) -> tuple[set[str], set[str]]:
    """The dvc.yaml and the .dvc files that DVC collects."""
    with Repo(str(root)) as repo:
        paths = {os.path.relpath(stage.path, root) for stage in repo.index.stages}
    return {p for p in paths if p.endswith("dvc.yaml")}, {p for p in paths if p.endswith(".dvc")}


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[cache]\n    dir = ../elsewhere\n    type = symlink\n",
        "[cache]\n    dir = /nowhere/cache\n    type = hardlink,copy\n",
        "[core]\n    no_scm = true\n",
    ],
)
def test_settings_are_those_of_dvc(tmp_path: Path, config: str) -> None:
    ours = opened(tmp_path, {}, config)
    with Repo(str(tmp_path)) as repo:
        assert ours.cache_dir == repo.cache.local_cache_dir
        assert list(ours.link_types) == repo.cache.local.cache_types
        assert ours.has_git == (not repo.config["core"].get("no_scm", False))
        assert ours.root == Path(repo.root_dir)
        assert ours.config["cache"] == repo.config["cache"]


def test_the_record_is_the_same_database(tmp_path: Path) -> None:
    ours = opened(tmp_path, {})
    with Repo(str(tmp_path)) as repo:
        assert ours.state.tmp_dir == repo.site_cache_dir


def test_the_record_is_the_same_database_when_dvc_came_first(tmp_path: Path) -> None:
    ours = opened(tmp_path, {}, f"[core]\n    site_cache_dir = {tmp_path}/site\n")
    with Repo(str(tmp_path)) as repo:
        theirs = repo.site_cache_dir
    assert ours.state.tmp_dir == theirs
    assert str(theirs).startswith(f"{tmp_path}/site/repo/")


@pytest.mark.parametrize("no_scm", [False, True])
def test_workflow_files_are_those_of_dvc(tmp_path: Path, no_scm: bool) -> None:  # noqa: FBT001
    files = {
        "dvc.yaml": workflow("a"),
        "b/dvc.yaml": workflow("b"),
        "a/deep/dvc.yaml": workflow("c"),
        "skip/dvc.yaml": workflow("d"),
        "other/dvc.yaml": workflow("e"),
        "a/data.bin.dvc": DATA.format(value="a" * 32, path="data.bin"),
        "skip/x.dvc": DATA.format(value="a" * 32, path="x"),
        "nested/.dvc/config": "",
        "nested/dvc.yaml": workflow("f"),
        "nested/inner/dvc.yaml": workflow("g"),
        "nested/x.dvc": DATA.format(value="a" * 32, path="x"),
        ".dvcignore": "/skip\n",
        "other/.dvcignore": "dvc.yaml\n",
    }
    ours = opened(tmp_path, files, "[core]\n    no_scm = true\n" if no_scm else "")
    workflows, data = their_files(tmp_path)
    assert set(ours.workflow_files) == workflows == {"dvc.yaml", "b/dvc.yaml", "a/deep/dvc.yaml"}
    assert set(ours.data_files) == data == {"a/data.bin.dvc"}


def test_files_that_git_ignores_do_not_count(tmp_path: Path) -> None:
    files = {".gitignore": "/build\n", "build/dvc.yaml": workflow("a"), "dvc.yaml": workflow("b")}
    ours = opened(tmp_path, files)
    assert set(ours.workflow_files) == their_files(tmp_path)[0] == {"dvc.yaml"}


def test_files_that_are_not_added_yet_count(tmp_path: Path) -> None:
    ours = opened(tmp_path, {"dvc.yaml": workflow("a")})
    (tmp_path / "new").mkdir()
    (tmp_path / "new/dvc.yaml").write_text(workflow("b"))
    assert set(ours.workflow_files) == their_files(tmp_path)[0] == {"dvc.yaml", "new/dvc.yaml"}


def test_a_file_that_git_tracks_but_is_gone_does_not_count(tmp_path: Path) -> None:
    ours = opened(tmp_path, {"dvc.yaml": workflow("a"), "b/dvc.yaml": workflow("b")})
    (tmp_path / "b/dvc.yaml").unlink()
    assert ours.workflow_files == ("dvc.yaml",)


def test_the_roots_workflow_comes_first(tmp_path: Path) -> None:
    files = {f"{folder}dvc.yaml": workflow("x") for folder in ("z/", "", "a/b/", "a/")}
    assert opened(tmp_path, files).workflow_files == ("dvc.yaml", "a/dvc.yaml", "z/dvc.yaml", "a/b/dvc.yaml")


def test_a_name_with_odd_letters_counts(tmp_path: Path) -> None:
    assert opened(tmp_path, {"ü \n☃/dvc.yaml": workflow("x")}).workflow_files == ("ü \n☃/dvc.yaml",)


def test_broken_settings_are_named(tmp_path: Path) -> None:
    ours = opened(tmp_path, {}, "[cache\n")
    with pytest.raises(UserError) as caught:
        _ = ours.config
    assert str(caught.value).endswith("\n  correct .dvc/config")


def test_a_dvcignore_that_is_no_text_is_named(tmp_path: Path) -> None:
    ours = opened(tmp_path, {})
    (tmp_path / ".dvcignore").write_bytes(b"\xff")
    with pytest.raises(UserError) as caught:
        _ = ours.ignore
    assert str(caught.value) == (
        f"{tmp_path}/.dvcignore cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start "
        "byte\n  a text file in UTF-8 is expected"
    )


def test_where_it_lies_in_gits_checkout(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "top", {"in.txt": "1"}).root
    commit(top)
    subprocess.run(["git", "worktree", "add", "-q", str(tmp_path / "second")], cwd=top, check=True)
    for checkout in (top, tmp_path / "second"):
        for below in ("", "ml", "teams/it's"):
            (checkout / below).mkdir(parents=True, exist_ok=True)
            repository = Repository(checkout / below)
            assert (repository.checkout, repository.subfolder) == (checkout, below)
    export = Repository(tmp_path, home=top / "ml")
    assert (export.checkout, export.subfolder) == (top, "ml")


def test_outside_of_git_it_is_its_own_checkout(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    assert (repository.checkout, repository.subfolder) == (tmp_path, "")
