"""`execute/shell.py`: commands in a real shell, to their end."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from swath.errors import UserError
from swath.execute.shell import run_shell, shell_words
from swath.model.invocation import Outcome


@pytest.fixture(autouse=True)
def _sh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")


def run(tmp_path: Path, command: str, **more: object) -> tuple[Outcome, str]:
    """Run a command here; its outcome and what it said."""
    with (tmp_path / "log").open("wb") as log:
        options = {"folder": str(tmp_path), "environment": {}, "stop": threading.Event(), **more}
        outcome = run_shell(command, log=log, **options)  # type: ignore[arg-type]
    return outcome, (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("true", 0, ""),
        ("exit 3", 3, "it ended with exit code 3"),
        ("exit 127", 127, "it ended with exit code 127"),
        ("kill -TERM $$", 143, "it was ended by SIGTERM"),
        ("kill -SEGV $$", 139, "it was ended by SIGSEGV"),
        ("kill -KILL $$", 137, "it was ended by SIGKILL, as the system does when memory runs out"),
        ("sh -c 'kill -TERM $$'; exit $?", 143, "it was ended by SIGTERM"),
        ("exit 255", 255, "it ended with exit code 255"),
    ],
)
def test_the_exit_code_and_its_reason(tmp_path: Path, command: str, code: int, reason: str) -> None:
    outcome, _ = run(tmp_path, command)
    assert (outcome.exit_code, outcome.reason) == (code, reason)


@pytest.mark.parametrize(("code", "temporary"), [(74, False), (75, True), (76, False)])
def test_exit_code_75_may_pass(tmp_path: Path, code: int, temporary: bool) -> None:  # noqa: FBT001
    outcome, _ = run(tmp_path, f"exit {code}")
    assert outcome.temporary == temporary


def test_both_streams_go_to_the_log_in_order(tmp_path: Path) -> None:
    _, said = run(tmp_path, "echo one; echo two >&2; echo three")
    assert said == "one\ntwo\nthree\n"


def test_the_command_runs_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    _, said = run(tmp_path, "pwd", folder=str(tmp_path / "sub"))
    assert said == f"{tmp_path}/sub\n"


def test_variables_are_added_to_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    monkeypatch.setenv("BOTH", "1")
    _, said = run(tmp_path, "echo $OURS $BOTH $THEIRS", environment={"BOTH": "2", "THEIRS": "3"})
    assert said == "1 2 3\n"


def test_nothing_can_be_read_from_the_terminal(tmp_path: Path) -> None:
    outcome, said = run(tmp_path, 'read line; echo "got <$line>"')
    assert (outcome.exit_code, said) == (0, "got <>\n")


def test_a_timeout_ends_the_command(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "sleep 60", timeout_s=0.2)
    assert outcome.reason == "it took longer than its timeout of 0.2s"
    assert outcome.wall_s < 5


def test_a_command_that_ends_in_time_is_not_told_about_it(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "true", timeout_s=30)
    assert (outcome.exit_code, outcome.reason) == (0, "")


@pytest.mark.parametrize("command", ["sleep 61 & sleep 61", "sh -c 'sleep 61 & sleep 61' & wait"])
def test_a_stop_ends_the_whole_group(tmp_path: Path, command: str) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    outcome, _ = run(tmp_path, f"touch began; {command}", stop=stop)
    timer.join()
    assert outcome.reason == "it was stopped"
    assert outcome.exit_code == 143
    assert sleepers() == []


def test_what_is_left_in_the_background_ends_with_the_command(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "sleep 61 >/dev/null 2>&1 & true")
    assert outcome.exit_code == 0
    assert sleepers() == []


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        run(tmp_path, "true", folder=str(tmp_path / "no"))
    assert str(caught.value) == f"cannot start '/bin/sh': there is no folder {tmp_path}/no"


def test_a_shell_that_does_not_exist_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/no/shell")
    with pytest.raises(UserError) as caught:
        run(tmp_path, "true")
    assert str(caught.value) == f"cannot start '/no/shell': there is no such program on PATH ({os.environ['PATH']})"


def test_times_are_measured(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
    assert 0 < outcome.wall_s < 30
    assert outcome.cpu_s > 0


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("/bin/bash", ["/bin/bash", "--noprofile", "--norc", "-c", "true"]),
        ("/usr/bin/zsh", ["/usr/bin/zsh", "--no-rcs", "-c", "true"]),
        ("/bin/dash", ["/bin/dash", "-c", "true"]),
        ("", ["/bin/sh", "-c", "true"]),
    ],
)
def test_the_shell_is_the_users_without_its_files(shell: str, words: list[str]) -> None:
    assert shell_words("true", {"SHELL": shell}) == words


def sleepers() -> list[psutil.Process]:
    """Processes `sleep 61` that still run, given a moment to end."""
    found: list[psutil.Process] = []
    for _ in range(40):
        listed = psutil.process_iter(["cmdline", "status"])
        found = [
            p for p in listed
            if p.info["cmdline"] == ["sleep", "61"] and p.info["status"] != psutil.STATUS_ZOMBIE
        ]  # fmt: skip
        if not found:
            break
        time.sleep(0.05)
    return found
