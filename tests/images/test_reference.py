from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swath.errors import UserError
from swath.images.reference import resolved, shell_word, split_reference

VARIABLES = {"CI_REGISTRY_IMAGE": "r.example.com/a b", "X": "it's $Y `id`"}


def echo(word: str) -> str:
    return subprocess.run(
        ["dash", "-c", f"printf '%s|' {word}"], env=VARIABLES, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(shutil.which("dash") is None, reason="no dash")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$CI_REGISTRY_IMAGE/crop:1", "r.example.com/a b/crop:1"),
        ("${X}y", "it's $Y `id`y"),
        ("a'b $(id) `id` $1 $$ \\ \"", "a'b $(id) `id` $1 $$ \\ \""),
        ("", ""),
        ("${X:-$(id)}", "${X:-$(id)}"),
    ],
)
def test_a_word_of_the_shell_says_what_is_resolved(text: str, expected: str) -> None:
    assert echo(shell_word(text)) == f"{expected}|"
    assert resolved(text, VARIABLES) == expected


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20))
def test_any_text_is_one_word(text: str) -> None:
    plain = text.replace("$", "")
    assert echo(shell_word(plain)) == f"{plain}|"


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("r.example.com:5050/a/b:c", ("r.example.com:5050", "a/b", "c")),
        ("localhost/a", ("localhost", "a", "latest")),
        ("127.0.0.1:5000/a:1", ("127.0.0.1:5000", "a", "1")),
        ("debian:12", ("registry-1.docker.io", "library/debian", "12")),
        ("docker.io/debian", ("registry-1.docker.io", "library/debian", "latest")),
        ("tensorflow/tensorflow:2@sha256:ab", ("registry-1.docker.io", "tensorflow/tensorflow", "sha256:ab")),
    ],
)
def test_split_reference(reference: str, parts: tuple[str, str, str]) -> None:
    assert split_reference(reference) == parts


def test_a_variable_that_is_not_set() -> None:
    with pytest.raises(UserError) as caught:
        resolved("$MINE/x", {"MINE": ""})
    assert str(caught.value) == (
        "the image $MINE/x is in a registry that is not known: MINE is not set\n"
        "  set MINE, or write the registry's address into swath.yaml: `registry: HOST/PATH`"
    )
