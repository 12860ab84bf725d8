"""`dvc_border/without_git.py`: the answers are Git's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.gitignore import _git_names, write_ignore_lines
from swath.dvc_border.repository import Repository
from swath.dvc_border.revision import commit_id
from swath.dvc_border.without_git import head_commit
from swath.errors import UserError

PATHS = ["a", "a/b", "build/x", "deep/er", "n.log", "keep.log", "sp ace", "ü", "deep/k.tmp", "none"]


@pytest.fixture(params=["", "below"])
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Repository:
    files = {".gitignore": "build/\n*.log\n!keep.log\n/sp ace\n", "deep/.gitignore": "*.tmp\n", "a/b": "1", "ü": "2"}
    made = make_repository(tmp_path / request.param, files)
    if request.param:
        subprocess.run(["rm", "-rf", str(made.root / ".git")], check=True)
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    git = ("git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.invalid")
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    return made


def test_what_is_tracked_and_ignored_is_as_git_says(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = ((["ls-files", "-z", "--"], False), (["check-ignore", "-z", "--stdin"], True))
    said = [_git_names(repository, words, PATHS, stdin=stdin) for words, stdin in questions]
    head = commit_id(repository)
    assert said[0] == {"a/b", "ü"}
    assert "n.log" in said[1]
    monkeypatch.setenv("PATH", "/nowhere")
    assert [_git_names(repository, words, PATHS, stdin=stdin) for words, stdin in questions] == said
    assert commit_id(repository) == head_commit(repository) == head
    with pytest.raises(UserError, match="this needs Git, and there is no `git` program here"):
        commit_id(repository, "main")


def test_lines_are_written_once(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert write_ignore_lines(repository, ["out", "n.log"]) == [".gitignore"]
    assert write_ignore_lines(repository, ["out", "n.log"]) == []
    assert (repository.root / ".gitignore").read_text().endswith("/out\n")


def test_files_are_listed_by_a_walk(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository.root / "deep/dvc.yaml").write_text("stages: {}\n")
    monkeypatch.setenv("PATH", "/nowhere")
    assert Repository(repository.root).workflow_files == ("deep/dvc.yaml",)
