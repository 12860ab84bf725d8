r"""Text as it may be shown: characters that command a terminal, or hide other text, are made visible.

Names, messages and logs come from whoever wrote a service or a repository. An escape sequence in them could move the
cursor, set the clipboard, or write marks that GitLab folds sections by; a bidirectional override shows another name
than is meant; half a character (a name that is not UTF-8) cannot be written at all. Each becomes ``\uXXXX``, which is
also valid inside a JSON string. Applied once, where text leaves the program: `cli/visible_streams.py`,
`cli/visible_console.py`, `job/console.py`. Log files keep what was written.

Source: Unicode 15.1, general categories Cc, Cs, Zl, Zp and the property Bidi_Control, read 2026-11-28.
"""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, without tab and newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, overrides and isolates
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff]"  # halves of characters
)
LONGEST_COLOUR: Final = 64  # characters between "[" and "m"; a longer one is no colour
_COLOUR: Final = re.compile(f"\x1b\\[[0-9;:]{{0,{LONGEST_COLOUR}}}m")


def visible(text: str) -> str:
    r"""The text with its hidden characters as ``\uXXXX``; tabs and newlines stay. Doing it twice changes nothing."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def without_colours(text: str) -> str:
    """The text without the sequences that only set colours and weights, which would make a log unreadable."""
    return _COLOUR.sub("", text)
