"""Standard output and error through which only visible text goes; the one boundary of all that is not drawn by rich.

Everything that commands print passes here: results, messages, warnings of loggers, tracebacks. So no name and no
message has to be cleaned where it is put together. Bytes that are written to ``.buffer`` pass as they are.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from swath.model.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator


class VisibleStream:
    """A text stream whose text is made visible; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self.document = stream  # for what must be written as it is
        self.is_over = False  # libraries keep the stream, and reset a terminal's colours when the process ends

    def __getattr__(self, name: str) -> object:
        return getattr(self.document, name)

    def isatty(self) -> bool:
        """No: libraries (DVC's loggers) shall not colour what is written here; ask the `document` stream."""
        return False

    def write(self, text: str) -> int:
        """Write text."""
        self.document.write(text if self.is_over else visible(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)


@contextlib.contextmanager
def visible_streams() -> Iterator[None]:
    """Within the block all text for stdout and stderr is made visible, and what the terminal cannot show is escaped.

    Both are there, also where the process was started with one closed.
    """
    before = sys.stdout, sys.stderr
    streams = tuple(stream or _to_nobody(number) for number, stream in enumerate(before, 1))
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):  # a Latin-1 terminal has no box characters
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = around = tuple(map(VisibleStream, streams))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for each in around:
            each.is_over = True


def _to_nobody(number: int) -> TextIO:
    """A stream for a file descriptor that is closed. It gets open too, or the next file that is opened would be it."""
    try:
        os.fstat(number)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return open(os.devnull, "w", encoding="utf-8")


def document_stream(stream: TextIO | None = None) -> TextIO:
    """The stream itself, for text that a program reads (YAML), and for rich, which writes colours.

    Args:
        stream: None: stdout.
    """
    chosen = stream or sys.stdout
    return getattr(chosen, "document", chosen)
