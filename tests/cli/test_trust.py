"""`cli/trust.py`: real Git on a checkout that it takes for another user's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from swath.cli.trust import trust_checkout

NAMES = ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, of another user as Git is told by a variable of its own tests."""
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    return tmp_path / "repo"


def git_status(checkout: Path) -> subprocess.CompletedProcess[str]:
    """What Git says, with this process's environment."""
    return subprocess.run(["git", "status", "--short"], cwd=checkout, capture_output=True, text=True, check=False)


def test_git_works_in_the_checkout_of_another_user(checkout: Path) -> None:
    before = git_status(checkout)
    assert (before.returncode, "dubious ownership" in before.stderr) == (128, True)
    trust_checkout()
    assert git_status(checkout).returncode == 0


def test_settings_of_the_environment_stay_as_they_are(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NAMES, ("1", "user.name", "me"), strict=True):
        monkeypatch.setenv(name, value)
    trust_checkout()
    assert [os.environ[name] for name in NAMES] == ["1", "user.name", "me"]


def test_a_second_call_changes_nothing(checkout: Path) -> None:
    trust_checkout()
    once = dict(os.environ)
    trust_checkout()
    assert dict(os.environ) == once
