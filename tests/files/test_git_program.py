"""`files/git_program.py`: which settings a Git command sees, and what it never starts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from swath.errors import NoGitError
from swath.files.git_program import call_git, git_environment, names_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Git repository with one file in its index."""
    root = tmp_path / "repository"
    root.mkdir()
    for words in (["init", "-q"], ["add", "a"]):
        (root / "a").touch()
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def listed(root: Path) -> list[str]:
    return names_in(call_git(root, "ls-files", "-z").stdout)


def test_what_a_hook_gets_from_git_does_not_lead_elsewhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    for name, value in {"GIT_DIR": f"{other}/.git", "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": "none"}.items():
        monkeypatch.setenv(name, value)

    assert listed(root) == ["a"]


def test_settings_and_identities_of_the_environment_count(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {
        "GIT_CONFIG_GLOBAL": "/x", "GIT_CONFIG_COUNT": "0", "GIT_SSH_COMMAND": "ssh -v", "GIT_SSL_CAINFO": "/ca",
        "GIT_AUTHOR_NAME": "a", "GIT_COMMITTER_EMAIL": "b", "GIT_EXEC_PATH": "/opt",
    }  # fmt: skip
    dropped = ["GIT_DIR", "GIT_PREFIX", "GIT_CONFIG_PARAMETERS", "GIT_TRACE", "GIT_LITERAL_PATHSPECS", "GIT_NAMESPACE"]
    for name, value in {**kept, **dict.fromkeys(dropped, "1")}.items():
        monkeypatch.setenv(name, value)

    environ = git_environment({"GIT_INDEX_FILE": "own"})

    assert {name: environ[name] for name in kept} == kept
    assert not environ.keys() & set(dropped)
    assert (environ["GIT_INDEX_FILE"], environ["LC_ALL"]) == ("own", "C")


def test_neither_a_monitor_nor_a_hook_of_the_repository_is_started(root: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    trap.chmod(0o755)
    hook = root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.symlink_to(trap)
    subprocess.run(["git", "config", "core.fsmonitor", str(trap)], cwd=root, check=True)

    assert call_git(root, "status", "--porcelain").returncode == 0
    assert call_git(root, "checkout", "-q", "--orphan", "other").returncode == 0
    assert not (tmp_path / "started").exists()


def test_no_program(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(NoGitError):
        listed(root)


def test_a_folder_that_is_not_there_is_no_lack_of_git(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        listed(tmp_path / "none")
