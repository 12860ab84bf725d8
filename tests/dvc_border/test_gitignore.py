"""`dvc_border/gitignore.py`: the lines are those that scmrepo writes for DVC."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from scmrepo.git import Git

from support.plain_repository import make_repository
from swath.dvc_border.gitignore import LateIgnores, folders_inside_deps, outputs_to_ignore, write_ignore_lines
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.model.graph import build_graph
from swath.model.stage import Dependency, Output, Stage

ODD = [
    "plain",
    "a b",
    "ü ñ",
    "#hash",
    "!bang",
    "star*",
    "what?",
    "[x]",
    "back\\slash",
    "end ",
    "-dash",
    "a.b@c:d",
    "😀",
]


def stage(name: str, *outs: str, deps: tuple[str, ...] = (), cache: bool = True) -> Stage:
    """A stage with these outputs."""
    made = tuple(Output(path, path, cache=cache) for path in outs)
    return Stage(name, "dvc.yaml", name, name, "true", ".", tuple(Dependency(d, d) for d in deps), made)


@pytest.mark.parametrize("folder", ["", "sub/inner/"])
@pytest.mark.parametrize("name", [name for name in ODD if not name.endswith(" ")])  # scmrepo's line does not work then
def test_a_line_is_scmrepos(tmp_path: Path, folder: str, name: str) -> None:
    repository = make_repository(tmp_path / "ours", {f"{folder}keep": ""})
    shutil.copytree(tmp_path / "ours", tmp_path / "theirs")
    assert write_ignore_lines(repository, [folder + name]) == [f"{folder}.gitignore"]
    scm = Git(str(tmp_path / "theirs"))
    scm.ignore(str(tmp_path / "theirs" / folder / name))
    scm.close()
    expected = (tmp_path / "theirs" / folder / ".gitignore").read_text()
    assert (tmp_path / "ours" / folder / ".gitignore").read_text() == expected


@pytest.mark.parametrize("name", ODD)
def test_git_ignores_the_output_then(tmp_path: Path, name: str) -> None:
    repository = make_repository(tmp_path, {})
    write_ignore_lines(repository, [name])
    (tmp_path / name).write_text("x")
    command = ["git", "check-ignore", "-z", "--stdin"]
    said = subprocess.run(command, cwd=tmp_path, input=name.encode(), capture_output=True, check=True)
    assert said.stdout.decode() == f"{name}\0"


def test_lines_come_in_the_order_of_the_outputs(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"sub/keep": ""})
    changed = write_ignore_lines(repository, ["b", "sub/c", "a", "b"])
    assert changed == [".gitignore", "sub/.gitignore"]
    assert (tmp_path / ".gitignore").read_text() == "/b\n/a\n"


def test_what_is_ignored_already_needs_no_line(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {".gitignore": "*.tif\n/done"})
    assert write_ignore_lines(repository, ["a.tif", "done", "new"]) == [".gitignore"]
    assert (tmp_path / ".gitignore").read_text() == "*.tif\n/done\n/new\n"
    assert write_ignore_lines(repository, ["a.tif", "done", "new"]) == []


def test_a_folder_that_does_not_exist_has_no_line_yet(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {})
    assert write_ignore_lines(repository, ["no/out"]) == []
    assert not (tmp_path / "no").exists()


def test_folders_that_are_deps_are_made(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {})
    assert write_ignore_lines(repository, ["data/out"], folders=["data"]) == ["data/.gitignore"]


@pytest.mark.parametrize("name", ["out", "a b", "star*"])
def test_an_output_that_git_tracks_is_named(tmp_path: Path, name: str) -> None:
    repository = make_repository(tmp_path, {name: "x"})
    with pytest.raises(UserError) as caught:
        write_ignore_lines(repository, ["free", name])
    assert str(caught.value) == (
        f"the output {name} is tracked by Git\n  git rm -r --cached {name!r}, or give the output `cache: false`"
    )


def test_a_tracked_file_in_an_output_folder_is_named_by_the_output(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"out/inner/file": "x"})
    with pytest.raises(UserError) as caught:
        write_ignore_lines(repository, ["out"])
    assert str(caught.value) == (
        "the output out is tracked by Git\n  git rm -r --cached 'out', or give the output `cache: false`"
    )


def test_a_name_with_a_star_is_not_a_pattern(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"start": "x"})
    assert write_ignore_lines(repository, ["star*"]) == [".gitignore"]


def test_without_git_nothing_is_written(tmp_path: Path) -> None:
    make_repository(tmp_path, {})
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    assert write_ignore_lines(Repository(tmp_path), ["out"]) == []
    assert not (tmp_path / ".gitignore").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="SKIPPED LOUDLY: only root can give a repository to another user")
def test_where_git_refuses_the_repository_of_another_user_the_same_is_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = make_repository(tmp_path / "repo", {"tracked": "x", ".gitignore": "/ignored\n"})
    subprocess.run(["git", "add", "-f", "tracked"], cwd=made.root, check=True)
    for path in (made.root, *made.root.rglob("*")):
        os.lchown(path, 1234, 1234)
    refused = subprocess.run(["git", "status"], cwd=made.root, capture_output=True, text=True, check=False)
    assert "dubious ownership" in refused.stderr
    repository = Repository(made.root)
    with pytest.raises(UserError, match="the output tracked is tracked by Git"):
        write_ignore_lines(repository, ["tracked"])
    assert write_ignore_lines(repository, ["ignored"]) == []


def test_only_cached_outputs_inside_are_ignored() -> None:
    stages = [stage("a", "x", "s3://b/y", "/abs/z"), stage("b", "metrics.json", cache=False)]
    assert outputs_to_ignore(stages) == ["x"]


def test_late_lines_come_all_at_once(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {})
    late = LateIgnores(repository, ["raw/b", "raw/a", "other/c"])
    (tmp_path / "raw").mkdir()
    late.write(stage("a", "raw/a"))
    assert (tmp_path / "raw/.gitignore").read_text() == "/b\n/a\n"
    late.write(stage("b", "raw/b"))
    assert (tmp_path / "raw/.gitignore").read_text() == "/b\n/a\n"
    assert not (tmp_path / "other").exists()


def test_folders_inside_deps_are_those_whose_gitignore_is_hashed() -> None:
    stages = [
        stage("a", "data/a", "free/b", "data/deep/c"),
        stage("use", "end", deps=("data",)),
    ]
    graph = build_graph(stages)
    paths = outputs_to_ignore(stages)
    assert folders_inside_deps(graph, paths) == ["data", "data/deep"]
