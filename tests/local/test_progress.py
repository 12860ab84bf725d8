"""`local/progress.py`: lines on a console of 80 columns."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from swath.local.progress import Terminal, summary_line
from swath.local.run import RunSummary
from swath.local.stage_work import StageReport
from swath.model.plan import Decision
from swath.model.stage import Stage


def report(name: str, did: Any, message: str = "", **more: Any) -> StageReport:
    return StageReport(Stage(name, "dvc.yaml", name, name, "true", "."), did, message, **more)


class Screen:
    """A console and what it shows."""

    def __init__(self, *, quiet: bool = False, terminal: bool = False) -> None:
        self.text = io.StringIO()
        self.console = Console(file=self.text, width=80, height=24, force_terminal=terminal, color_system=None)
        self.terminal = Terminal(self.console, quiet=quiet)

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
        ("ran", "      ran  train in 1.2s\n"),
        ("restored", " restored  train\n"),
        ("stopped", "  stopped  train\n"),
        ("unchanged", ""),
    ],
)
def test_a_stage_is_a_line(did: str, line: str) -> None:
    screen = Screen()
    screen.terminal.finished(report("train", did, wall_s=1.23))
    assert screen.said() == line


@pytest.mark.parametrize(("seconds", "text"), [(59.94, "59.9s"), (60, "1m"), (3661, "1h1m1s")])
def test_times_have_units(seconds: float, text: str) -> None:
    screen = Screen()
    screen.terminal.finished(report("a", "ran", wall_s=seconds))
    assert screen.said().replace(" ", "").strip() == f"ranain{text}"


def test_a_failure_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(20)) + b"[bold]\xff\n")
    screen = Screen()
    screen.terminal.finished(report("a", "failed", "it ended with exit code 3", log=log))
    lines = screen.said().splitlines()
    assert lines[:3] == ["   FAILED  a", "a: it ended with exit code 3", "  │ line 6"]
    assert lines[-2:] == ["  │ [bold]\ufffd", f"  log: {log}"]


def test_a_failure_without_a_log_says_why() -> None:
    screen = Screen()
    screen.terminal.finished(report("a", "failed", "x does not exist"))
    assert screen.said() == "   FAILED  a\na: x does not exist\n"


def test_a_long_line_is_not_broken() -> None:
    screen = Screen()
    screen.terminal.finished(report("n" * 200, "restored"))
    assert screen.said() == f" restored  {'n' * 200}\n"


def test_names_are_no_markup() -> None:
    screen = Screen()
    screen.terminal.finished(report("a[bold]b[/bold]:smile:", "restored"))
    assert screen.said() == " restored  a[bold]b[/bold]:smile:\n"


def test_quiet_says_nothing() -> None:
    screen = Screen(quiet=True)
    screen.terminal.finished(report("a", "failed", "why"))
    screen.terminal.started("a", 2)
    assert screen.said() == ""


def test_another_attempt_is_told() -> None:
    screen = Screen()
    screen.terminal.started("a", 1)
    screen.terminal.started("a", 2)
    assert screen.said() == "a: attempt 2\n"


@pytest.mark.parametrize(("running", "shown", "more"), [(8, 8, ""), (9, 8, "and 1 more"), (20, 8, "and 12 more")])
def test_many_running_stages_are_cut_at_8(running: int, shown: int, more: str) -> None:
    screen = Screen(terminal=True)
    for number in range(running):
        screen.terminal.started(f"stage{number}", 1)
    assert screen.drawn().count("  stage") == shown
    assert ("and " in screen.drawn()) == bool(more)
    assert more in screen.drawn()


def test_the_live_view_fits_80_columns() -> None:
    screen = Screen(terminal=True)
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
    screen = Screen(terminal=True)
    with screen.terminal as terminal:
        terminal.planned({"a": Decision("run")}, {}, 1)
        terminal.started("a", 1)
        terminal.tick()
        terminal.finished(report("a", "ran", wall_s=1))
    assert "ran  a in 1.0s" in screen.said()


def summary(**did: int) -> RunSummary:
    made = RunSummary(wall_s=12.34)
    for word, number in did.items():
        for each in range(number):
            made.reports[f"{word}{each}"] = report(f"{word}{each}", word)
    return made


def test_the_summary_counts() -> None:
    made = summary(ran=3, restored=1, failed=2, stopped=1, unchanged=1)
    made.unchanged = 20
    made.skipped["x"] = "failed0"
    made.not_started = ("x", "y")
    assert summary_line(made) == (
        "3 ran, 1 restored, 2 failed, 1 stopped, 21 unchanged, 1 skipped behind a failure, 1 not started in 12.3s"
    )


def test_nothing_to_do_is_said() -> None:
    made = summary()
    assert summary_line(made) == "There are no stages: nothing to do"
    made.unchanged = 2
    assert summary_line(made) == "Everything is up to date: nothing to do"


def test_nobody_that_was_not_started_is_not_told() -> None:
    made = summary(failed=1)
    made.skipped["x"] = "failed0"
    made.not_started = ("x",)
    assert summary_line(made) == "1 failed, 1 skipped behind a failure in 12.3s"
