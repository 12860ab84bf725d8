"""`emit/script.py`: words reach the program as they are, whatever they hold."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.emit.script import SWATH, enter, from_subfolder, swath_command, swath_script


def test_harmless_words_stand_without_quotes() -> None:
    assert swath_command("job", "run", "train@a") == "/opt/swath/bin/swath job run train@a || exit $?"


def test_no_words_are_the_program_alone() -> None:
    assert swath_command() == f"{SWATH} || exit $?"


@pytest.mark.parametrize(
    ("word", "quoted"), [("", "''"), ("a b", "'a b'"), ("$TOKEN", "'$TOKEN'"), ("it's", """'it'"'"'s'""")]
)
def test_other_words_are_quoted(word: str, quoted: str) -> None:
    assert swath_command(word) == f"{SWATH} {quoted} || exit $?"


@given(st.lists(st.text(), max_size=5))
def test_words_come_back(words: list[str]) -> None:
    assert shlex.split(swath_command(*words)) == [SWATH, *words, "||", "exit", "$?"]


def test_a_real_shell_expands_nothing() -> None:
    words = ["a  b", "$HOME", "`id`", "$(id)", "*", "~", "a\nb", "'\"\\", ";true", "#no", "!x", ""]
    line = "printf '%s\\0'" + swath_command(*words).removeprefix(SWATH)
    found = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=10)
    assert found.stdout.split("\0")[:-1] == words


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_exit_code_comes_out_of_gitlabs_runner(shell: str, tmp_path: Path) -> None:
    swath = tmp_path / "swath"
    swath.write_text("#!/bin/sh\nexit 75\n")
    swath.chmod(0o755)

    def ends_with(line: str) -> int:
        script = f"set -o errexit\n: | eval {shlex.quote(line)}\nexit 0\n"  # of gitlab-runner's shells/bash.go
        return subprocess.run([shell], input=script, text=True, check=False, timeout=10).returncode

    assert ends_with(swath_command("job", "run", "a").replace(SWATH, str(swath))) == 75


def test_the_top_of_the_checkout_needs_no_line() -> None:
    assert swath_script("", "lint") == (swath_command("lint"),)
    assert from_subfolder("", "child.yml") == "child.yml"


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize("subfolder", ["ml", "a/b c", "-", "-P", "~", "it's $HOME", '"`id`*[x]', "a\nb", "北"])
def test_a_script_starts_in_the_folder_and_leaves_files_at_the_top(subfolder: str, shell: str, tmp_path: Path) -> None:
    (tmp_path / "top" / subfolder).mkdir(parents=True)
    (tmp_path / "cdpath" / subfolder).mkdir(parents=True)
    script = "\n".join([*enter(subfolder), f"pwd; : > {from_subfolder(subfolder, 'child.yml')}"])
    environ = {"CDPATH": str(tmp_path / "cdpath"), "OLDPWD": "/", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [shell, "-c", script], cwd=tmp_path / "top", env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{tmp_path / 'top' / subfolder}\n"
    assert (tmp_path / "top/child.yml").exists()


def test_a_folder_that_is_not_there_ends_the_script(tmp_path: Path) -> None:
    script = "\n".join([*enter("gone"), "echo further"])
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode != 0, done.stdout) == (True, "")
