"""`local/progress.py`: lines where there is no terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from swath.local.progress import Lines, summary_line
from swath.local.run import RunSummary
from swath.local.stage_work import StageReport
from swath.model.stage import Stage


def report(name: str, did: Any, message: str = "", **more: Any) -> StageReport:
    return StageReport(Stage(name, "dvc.yaml", name, name, "true", "."), did, message, **more)


def said(*reports: StageReport) -> str:
    """What is told of stages that are done."""
    text = io.StringIO()
    with Lines(text) as lines:
        lines.planned({}, {}, 1)
        for each in reports:
            lines.finished(each)
        lines.tick()
    return text.getvalue()


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
    assert said(report("train", did, wall_s=1.23)) == line


@pytest.mark.parametrize(("seconds", "text"), [(59.94, "59.9s"), (60, "1m"), (3661, "1h1m1s")])
def test_times_have_units(seconds: float, text: str) -> None:
    assert said(report("a", "ran", wall_s=seconds)).replace(" ", "").strip() == f"ranain{text}"


def test_a_failure_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(20)) + b"[bold]\xff\x1b[31m\x1b[2J\n1%\r2%\n")
    lines = said(report("a", "failed", "it ended with exit code 3", log=log)).splitlines()
    assert lines[:3] == ["   FAILED  a", "a: it ended with exit code 3", "  │ line 7"]
    assert lines[-3:] == ["  │ [bold]\\xff\\u001b[2J", "  │ 2%", f"  log: {log}"]


def test_a_failure_without_a_log_says_why() -> None:
    assert said(report("a", "failed", "x does not exist")) == "   FAILED  a\na: x does not exist\n"


def test_a_long_line_is_not_broken() -> None:
    assert said(report("n" * 200, "restored")) == f" restored  {'n' * 200}\n"


def test_names_are_no_markup() -> None:
    assert said(report("a[bold]b[/bold]:smile:", "restored")) == " restored  a[bold]b[/bold]:smile:\n"


def test_quiet_says_nothing() -> None:
    lines = Lines(None)
    lines.finished(report("a", "failed", "why"))
    lines.started("a", 2)


def test_another_attempt_is_told() -> None:
    text = io.StringIO()
    lines = Lines(text)
    lines.started("a", 1)
    lines.started("a", 2)
    assert text.getvalue() == "a: attempt 2\n"


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
