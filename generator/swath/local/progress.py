"""Tell a run where there is no terminal: a line a stage, and the line at its end.

`live.py` has the texts in common with it. Without rich, which takes 0.1 s to load.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self

from swath.model.echoed_log import echoed_lines
from swath.model.units import Duration

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from swath.local.run import RunSummary
    from swath.local.stage_work import StageReport
    from swath.model.plan import Decision

_TAIL_LINES: Final = 15
_TAIL_BYTES: Final = 64 * 2**10  # a progress bar takes many for one line


class Lines:
    """Follows a run: a line for each stage that is done.

    Args:
        stream: where to; None: nothing is said.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        """As a terminal's live view."""
        return self

    def __exit__(self, *exception: object) -> None:
        """As a terminal's live view."""

    def planned(self, decisions: Mapping[str, Decision], estimates_s: Mapping[str, float], jobs: int) -> None:
        """Nothing is shown of what a round will do."""

    def started(self, name: str, attempt: int) -> None:
        """An attempt begins."""
        if attempt > 1:
            self._say(attempt_line(name, attempt))

    def finished(self, report: StageReport) -> None:
        """A stage is done."""
        if report.did != "unchanged":
            self._say("".join(done_words(report)))
        if report.did == "failed":
            self._say(failure_text(report))

    def tick(self) -> None:
        """Nothing is drawn."""

    def _say(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(f"{text}\n")
            self._stream.flush()


def attempt_line(name: str, attempt: int) -> str:
    """That a stage is tried again."""
    return f"{name}: attempt {attempt}"


def done_words(report: StageReport) -> tuple[str, str]:
    """What became of a stage, right-aligned, and the rest of its line."""
    word = "FAILED" if report.did == "failed" else report.did
    took = f" in {seconds_text(report.wall_s)}" if report.did == "ran" else ""
    return f"{word:>9}", f"  {report.stage.name}{took}"


def failure_text(report: StageReport) -> str:
    """The reason, the end of the log, and where the whole log is."""
    lines = [f"{report.stage.name}: {report.message}"]
    if report.log is not None and report.log.exists():
        lines += [f"  │ {line}" for line in echoed_lines(_end_of(report.log))[-_TAIL_LINES:]]
        lines.append(f"  log: {report.log}")
    return "\n".join(lines)


def _end_of(log: Path) -> bytes:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        return file.read()


def seconds_text(seconds: float) -> str:
    """A time with its unit."""
    return f"{seconds:.1f}s" if seconds < 60 else str(Duration(int(seconds)))


def summary_line(summary: RunSummary) -> str:
    """``3 ran, 1 restored, 20 unchanged in 12.3s``."""
    unchanged = summary.unchanged + len(summary.named("unchanged"))
    counts = {word: len(summary.named(word)) for word in ("ran", "restored", "failed", "stopped")}
    counts["unchanged"] = unchanged
    counts["skipped behind a failure"] = len(summary.skipped)
    counts["not started"] = len(set(summary.not_started) - set(summary.skipped))
    parts = [f"{number} {word}" for word, number in counts.items() if number]
    if not (summary.reports or summary.skipped):
        return "Everything is up to date: nothing to do" if unchanged else "There are no stages: nothing to do"
    return f"{', '.join(parts)} in {seconds_text(summary.wall_s)}"
