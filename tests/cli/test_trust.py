"""`cli/trust.py`: real Git on a checkout that it takes for another user's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.repositories import make_repository
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
    monkeypatch.setenv("GIT_CONFIG_KEY_1", "")  # so that both are put back
    monkeypatch.setenv("GIT_CONFIG_VALUE_1", "")
    trust_checkout()
    assert [os.environ[name] for name in NAMES] == ["2", "user.name", "me"]
    assert git_status(checkout).returncode == 0


def test_settings_that_git_cannot_read_are_left_to_it(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "many")
    trust_checkout()
    assert os.environ["GIT_CONFIG_COUNT"] == "many"
    assert "bogus count" in git_status(checkout).stderr


def test_a_second_call_changes_nothing(checkout: Path) -> None:
    trust_checkout()
    once = dict(os.environ)
    trust_checkout()
    assert dict(os.environ) == once


@pytest.mark.skipif(os.getuid() != 0, reason="SKIPPED LOUDLY: only root can give a checkout to another user")
@pytest.mark.parametrize("words", [("lint",), ("compile", "--no-remote")])
def test_what_a_job_does_is_the_same_in_the_checkout_of_another_user(tmp_path: Path, words: tuple[str, ...]) -> None:
    stages = {"made": {"cmd": "swath exec made", "deps": ["services/made"], "outs": ["out"]}}
    service = {"name": "made", "kind": "processing", "description": "M.", "entrypoint": ["true"], "parameters": []}
    files = {
        "dvc.yaml": {"stages": stages},
        "services/made/service.yaml": service,
        "services/made/Dockerfile": "FROM x\nCOPY late /\n",
    }
    bench = make_repository(tmp_path / "repo", files)
    bench.write({"services/made/service.yaml": {**service, "image": {"build": "."}}})
    bench.commit("image")
    bench.write({"services/made/late": ""})  # Git does not have it: a finding
    ours = bench.swath(*words, GITLAB_CI="true", HOME=str(tmp_path))
    for path in (bench.root, *bench.root.rglob("*")):
        os.lchown(path, 1234, 1234)
    theirs = bench.swath(*words, GITLAB_CI="true", HOME=str(tmp_path))
    assert (theirs.returncode, theirs.stdout, theirs.stderr) == (ours.returncode, ours.stdout, ours.stderr)
    outside = bench.swath(*words, HOME=str(tmp_path))
    assert (outside.stdout, outside.stderr) != (ours.stdout, ours.stderr)  # Git's own rule holds there
