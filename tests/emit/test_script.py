"""`emit/script.py`: words reach the program as they are, whatever they hold."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.emit.script import SWATH, swath_command


def test_harmless_words_stand_without_quotes() -> None:
    assert swath_command("job", "run", "train@a") == "/opt/swath/bin/swath job run train@a"


def test_no_words_are_the_program_alone() -> None:
    assert swath_command() == SWATH


@pytest.mark.parametrize(
    ("word", "quoted"), [("", "''"), ("a b", "'a b'"), ("$TOKEN", "'$TOKEN'"), ("it's", """'it'"'"'s'""")]
)
def test_other_words_are_quoted(word: str, quoted: str) -> None:
    assert swath_command(word) == f"{SWATH} {quoted}"


@given(st.lists(st.text(), max_size=5))
def test_words_come_back(words: list[str]) -> None:
    assert shlex.split(swath_command(*words)) == [SWATH, *words]


def test_a_real_shell_expands_nothing() -> None:
    words = ["a  b", "$HOME", "`id`", "$(id)", "*", "~", "a\nb", "'\"\\", ";true", "#no", "!x", ""]
    line = "printf '%s\\0'" + swath_command(*words).removeprefix(SWATH)
    found = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=10)
    assert found.stdout.split("\0")[:-1] == words
