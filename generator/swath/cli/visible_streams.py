"""Standard output and error through which only visible text goes; the one boundary of all that is not drawn by rich.

Everything that commands print passes here: results, messages, warnings of loggers, tracebacks. So no name and no
message has to be cleaned where it is put together. Bytes that are written to ``.buffer`` pass as they are.
"""

from __future__ import annotations

import contextlib
import io
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
    """Within the block all text for stdout and stderr is made visible, and what the terminal cannot show is escaped."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):  # a Latin-1 terminal has no box characters
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = around = tuple(map(VisibleStream, before))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for each in around:
            each.is_over = True


def document_stream(stream: TextIO | None = None) -> TextIO:
    """The stream itself, for text that a program reads (YAML), and for rich, which writes colours.

    Args:
        stream: None: stdout.
    """
    chosen = stream or sys.stdout
    return getattr(chosen, "document", chosen)
