"""`execute/follow.py`: what of a container's output goes where; containers themselves are in test_container.py."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from swath.execute.follow import _Output

HOSTILE = b"\x1b]0;owned\x07 \x1b[31mred\x1b[0m \xff\n"


class Screen(io.BytesIO):
    """A terminal, or a file."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        """Whether a person looks."""
        return self._is_terminal


def output(log: io.BytesIO | None) -> _Output:
    engine: Any = SimpleNamespace(api=SimpleNamespace(attach_socket=lambda *_: None))
    return _Output(engine, "c", log)


@pytest.mark.parametrize(
    ("is_terminal", "shown"),
    [(True, b"\\u001b]0;owned\\u0007 red \\xff\n"), (False, HOSTILE)],
    ids=["terminal", "file"],
)
@pytest.mark.parametrize(("stream", "name"), [(1, "stdout"), (2, "stderr")])
def test_a_container_does_not_command_the_terminal(
    monkeypatch: pytest.MonkeyPatch, stream: int, name: str, *, is_terminal: bool, shown: bytes
) -> None:
    screen = Screen(is_terminal=is_terminal)
    monkeypatch.setattr(sys, name, io.TextIOWrapper(screen))
    output(None)._write(stream, HOSTILE)
    assert screen.getvalue() == shown


def test_a_log_has_the_bytes() -> None:
    log = io.BytesIO()
    output(log)._write(1, HOSTILE)
    assert log.getvalue() == HOSTILE
