"""What a service says, as it is echoed into a terminal or a job's log, piece by piece. Pure.

- Colours are left out, all other control characters are made visible (`visible_text.py`), and so are bytes that are not
  UTF-8.
- A carriage return goes back to the start of the line, as progress bars do many times a second. What is written over is
  left out, except now and then, so that a long bar shows that it moves; its last state always stays.
"""

from __future__ import annotations

import codecs
import re
import time
from typing import TYPE_CHECKING, Final

from swath.model.visible_text import LONGEST_COLOUR, visible, without_colours

if TYPE_CHECKING:
    from collections.abc import Callable

_BAR_EVERY_S: Final = 5.0
_LONGEST_LINE: Final = 65_536  # characters that are kept while a line may still be written over
_BREAK: Final = re.compile("(\r*\n|\r+)")
_HALF_COLOUR: Final = re.compile(f"\x1b(?:\\[[0-9;:]{{0,{LONGEST_COLOUR}}})?")


class EchoedLog:
    """Takes bytes as they come, gives text to show.

    Args:
        clock: seconds, for the share of a progress bar that is shown.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._clock = clock
        self._rest = ""  # what the next piece may change the meaning of: a carriage return, half a colour
        self._line = ""  # of a line that is written over, what was not shown
        self._is_bar = False
        self._is_open = False  # the last line that is shown has no end yet
        self._bar_shown_s = float("-inf")

    def feed(self, data: bytes) -> str:
        """What to show of the next bytes."""
        return self._take(self._decoder.decode(data))

    def end(self) -> str:
        """What is still to show when nothing more comes."""
        shown = self._take(self._decoder.decode(b"", final=True), final=True)
        rest, self._line = self._line, ""
        return shown + _clean(rest)

    def _take(self, text: str, *, final: bool = False) -> str:
        text = self._rest + text
        text, self._rest = (text, "") if final else _cut_unfinished(text)
        shown = []
        parts = _BREAK.split(text)
        for piece, end in zip(parts[::2], [*parts[1::2], ""], strict=True):
            self._line = (self._line + piece)[:_LONGEST_LINE] if self._is_bar else piece
            if end.endswith("\n"):
                shown.append(_clean(self._line) + "\n")
                self._line, self._is_bar, self._is_open = "", False, False
            elif end:
                shown.append(self._return())
            elif not self._is_bar:
                shown.append(_clean(self._line))
                self._is_open, self._line = self._is_open or bool(self._line), ""
        return "".join(shown)

    def _return(self) -> str:
        """The line is written over from here on; what to show of it now."""
        now, line = self._clock(), self._line
        is_due = self._is_open or (line and (not self._is_bar or now - self._bar_shown_s >= _BAR_EVERY_S))
        self._line, self._is_bar, self._is_open = "", True, False
        if not is_due:
            return ""
        self._bar_shown_s = now
        return _clean(line) + "\n"


def _cut_unfinished(text: str) -> tuple[str, str]:
    """A text, and what follows of it when its end may go on: of many carriage returns one, which means the same.

    Only a bounded end is looked at, and little is kept, whatever a service writes.
    """
    whole = text.rstrip("\r")
    if len(whole) < len(text):
        return whole, "\r"
    start = text.rfind("\x1b", max(0, len(text) - LONGEST_COLOUR - 2))
    if start >= 0 and _HALF_COLOUR.fullmatch(text, start):
        return text[:start], text[start:]
    return text, ""


def echoed_lines(data: bytes) -> list[str]:
    """The lines of a piece of a log, as `EchoedLog` shows them, of a line that is written over its last state."""
    text = without_colours(data.decode("utf-8", "backslashreplace")).replace("\r\n", "\n")
    lines = text.removesuffix("\n").split("\n")
    return [visible(line.rstrip("\r").rpartition("\r")[2]) for line in lines] if text else []


def _clean(text: str) -> str:
    return visible(without_colours(text))
