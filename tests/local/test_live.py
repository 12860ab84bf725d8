"""`local/live.py`: lines and the live view on a terminal of 80 columns."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from swath.local.live import Terminal
from swath.local.stage_work import StageReport
from swath.model.plan import Decision
from swath.model.stage import Stage


def report(name: str, did: Any, message: str = "", **more: Any) -> StageReport:
    return StageReport(Stage(name, "dvc.yaml", name, name, "true", "."), did, message, **more)


class Screen:
    """A console and what it shows."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        self.console = Console(file=self.text, width=80, height=24, force_terminal=True, color_system=None)
        self.terminal = Terminal(self.console)

    def said(self) -> str:
        return self.text.getvalue()

    def drawn(self) -> str:
        """The live view as it would be drawn now."""
        with self.console.capture() as capture:
            self.console.print(self.terminal._view())
        return capture.get()


@pytest.mark.parametrize(
    ("did", "line"),
    [
        ("ran", "      ran  a[bold]b in 1.2s\n"),
        ("restored", " restored  a[bold]b\n"),
        ("stopped", "  stopped  a[bold]b\n"),
        ("failed", "   FAILED  a[bold]b\na[bold]b: it ended with exit code 3\n"),
        ("unchanged", ""),
    ],
)
def test_a_stage_is_a_line_and_its_name_no_markup(did: str, line: str) -> None:
    screen = Screen()
    screen.terminal.finished(report("a[bold]b", did, "it ended with exit code 3", wall_s=1.23))
    assert screen.said() == line


def test_a_long_line_is_not_broken() -> None:
    screen = Screen()
    screen.terminal.finished(report("n" * 200, "restored"))
    assert screen.said() == f" restored  {'n' * 200}\n"


def test_another_attempt_is_told() -> None:
    screen = Screen()
    screen.terminal.started("a", 1)
    screen.terminal.started("a", 2)
    assert screen.said() == "a: attempt 2\n"


@pytest.mark.parametrize(("running", "shown", "more"), [(8, 8, ""), (9, 8, "and 1 more"), (20, 8, "and 12 more")])
def test_many_running_stages_are_cut_at_8(running: int, shown: int, more: str) -> None:
    screen = Screen()
    for number in range(running):
        screen.terminal.started(f"stage{number}", 1)
    assert screen.drawn().count("  stage") == shown
    assert ("and " in screen.drawn()) == bool(more)
    assert more in screen.drawn()


def test_the_live_view_fits_80_columns() -> None:
    screen = Screen()
    screen.terminal.planned({"a": Decision("run"), "b": Decision("run")}, {"a": 100.0, "b": 200.0}, 1)
    screen.terminal.started("a", 3)
    screen.terminal._bar.update(screen.terminal._task, rest=screen.terminal._rest())
    lines = screen.drawn().splitlines()
    assert "attempt 3" in lines[0]
    assert "0/2" in lines[1]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("known", "jobs", "text"),
    [
        ({}, 1, ""),
        ({"a": 10.0}, 1, ""),
        ({"a": 10.0, "b": 10.0}, 1, "about 30.0s left"),
        ({"a": 10.0, "b": 10.0, "c": 10.0}, 1, "about 30.0s left"),
        ({"a": 10.0, "b": 10.0, "c": 10.0}, 3, "about 10.0s left"),
        ({"a": 25.0, "b": 1.0, "c": 1.0}, 3, "about 25.0s left"),
    ],
)
def test_the_estimate_knows_half_of_the_stages_at_least(known: Mapping[str, float], jobs: int, text: str) -> None:
    screen = Screen()
    screen.terminal.planned({name: Decision("run") for name in "abc"}, known, jobs)
    assert screen.terminal._rest() == text


def test_a_live_view_begins_and_ends() -> None:
    screen = Screen()
    with screen.terminal as terminal:
        terminal.planned({"a": Decision("run")}, {}, 1)
        terminal.started("a", 1)
        terminal.tick()
        terminal.finished(report("a", "ran", wall_s=1))
    assert "ran  a in 1.0s" in screen.said()
