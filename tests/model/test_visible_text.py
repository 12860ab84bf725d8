"""`model/visible_text.py`: nothing that is shown commands a terminal or hides text."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.model.visible_text import visible, without_colours

BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünï 日本 👩\u200d🚀\tx\ny", "plain ünï 日本 👩\u200d🚀\tx\ny"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\x1b]52;c;aGk=\x07", "\\u001b]52;c;aGk=\\u0007"),
        ("\x9b31m", "\\u009b31m"),
        ("a\rb", "a\\u000db"),
        ("\0\x7f", "\\u0000\\u007f"),
        ("exe\u202etxt.sh", "exe\\u202etxt.sh"),
        ("b\udcffd", "b\\udcffd"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_hidden_characters_are_shown_and_all_others_stay(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def is_hidden(character: str) -> bool:
    category, direction = unicodedata.category(character), unicodedata.bidirectional(character)
    marks = "\u200e\u200f\u061c"
    return (category in {"Cc", "Cs", "Zl", "Zp"} or direction in BIDI or character in marks) and character not in "\t\n"


def test_they_are_those_of_unicode() -> None:
    characters = [chr(number) for number in range(0x11_0000)]
    assert [c for c in characters if visible(c) != c] == [c for c in characters if is_hidden(c)]


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_shown_can_always_be_written(text: str) -> None:
    visible(text).encode()


@given(st.text())
def test_a_json_document_says_the_same(text: str) -> None:
    assert json.loads(visible(json.dumps({"name": text}, ensure_ascii=False))) == {"name": text}


def test_colours_go_and_other_sequences_stay() -> None:
    assert without_colours("\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[m \x1b[2K") == "red x \x1b[2K"
