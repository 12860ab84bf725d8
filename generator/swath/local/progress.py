"""Show a run on a terminal: what runs, what is left, when it may end; and the table at its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from swath.model.units import Duration

if TYPE_CHECKING:
    from rich.console import Console

    from swath.local.run import RunSummary
    from swath.local.stage_work import StageReport
    from swath.model.plan import Decision

_WORDS: Final = {
    "ran": ("ran", "green"),
    "restored": ("restored", "cyan"),
    "unchanged": ("unchanged", "dim"),
    "failed": ("FAILED", "bold red"),
    "stopped": ("stopped", "yellow"),
}
_MOST_LINES: Final = 8
_TAIL_LINES: Final = 15


class Terminal:
    """Follows a run on a console (stderr): a live view on a terminal, a line a stage elsewhere."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._running: dict[str, tuple[float, int]] = {}
        self._left: dict[str, float | None] = {}
        self._jobs = 1
        self._lock = threading.Lock()
        self._bar = Progress(
            TextColumn("stages"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rest]}"),
            console=console,
        )
        self._task = self._bar.add_task("stages", total=0, rest="")
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin the live view, where there is a terminal."""
        if self._console.is_terminal and not self._quiet:
            self._live = Live(self._view(), console=self._console, refresh_per_second=8, transient=True)
            self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """End the live view."""
        if self._live is not None:
            self._live.__exit__(None, None, None)
            self._live = None

    def planned(self, decisions: Mapping[str, Decision], estimates_s: Mapping[str, float], jobs: int) -> None:
        """Take over what a round will do."""
        tasks = [name for name, decision in decisions.items() if decision.kind != "unchanged"]
        with self._lock:
            self._left = {name: estimates_s.get(name) for name in tasks}
            self._jobs = jobs
        total = (self._bar.tasks[0].completed or 0) + len(tasks)
        self._bar.update(self._task, total=total)

    def started(self, name: str, attempt: int) -> None:
        """An attempt begins."""
        with self._lock:
            self._running[name] = (time.monotonic(), attempt)
        if attempt > 1:
            self._say(Text(f"{name}: attempt {attempt}", style="yellow"))

    def finished(self, report: StageReport) -> None:
        """A stage is done."""
        name = report.stage.name
        with self._lock:
            self._running.pop(name, None)
            self._left.pop(name, None)
        self._bar.advance(self._task)
        word, style = _WORDS[report.did]
        took = f" in {_seconds(report.wall_s)}" if report.did == "ran" else ""
        if report.did != "unchanged":
            self._say(Text.assemble((f"{word:>9}", style), f"  {name}{took}"))
        if report.did == "failed":
            self._say(Text(_failure(report), style="red"))

    def tick(self) -> None:
        """Draw again."""
        if self._live is not None:
            self._bar.update(self._task, rest=self._rest())
            self._live.update(self._view())

    def _say(self, text: Text) -> None:
        if not self._quiet:
            self._console.print(text, highlight=False, soft_wrap=True)

    def _rest(self) -> str:
        """The estimate: past times of what is left, spread over the jobs; silent when times are unknown."""
        with self._lock:
            known = [seconds for seconds in self._left.values() if seconds is not None]
            share = len(known) / len(self._left) if self._left else 0.0
        if share < 0.5 or not known:
            return ""
        seconds = max(sum(known) / share / self._jobs, *known)
        return f"about {_seconds(seconds)} left"

    def _view(self) -> Group:
        now = time.monotonic()
        with self._lock:
            running = list(self._running.items())
        lines = [
            Text(f"  {name}  {_seconds(now - since)}" + (f"  attempt {attempt}" if attempt > 1 else ""), style="bold")
            for name, (since, attempt) in running[:_MOST_LINES]
        ]
        if len(running) > _MOST_LINES:
            lines.append(Text(f"  and {len(running) - _MOST_LINES} more", style="dim"))
        return Group(*lines, self._bar)


def _failure(report: StageReport) -> str:
    """The reason, the end of the log, and where the whole log is."""
    lines = [f"{report.stage.name}: {report.message}"]
    if report.log is not None and report.log.exists():
        text = report.log.read_bytes()[-8000:].decode(errors="replace").splitlines()
        lines += [f"  │ {line}" for line in text[-_TAIL_LINES:]]
        lines.append(f"  log: {report.log}")
    return "\n".join(lines)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else str(Duration(int(seconds)))


def summary_line(summary: RunSummary) -> str:
    """``3 ran, 1 restored, 20 unchanged in 12.3s``."""
    parts = [
        f"{len(summary.named(did))} {word}"
        for did, word in (("ran", "ran"), ("restored", "restored"), ("failed", "failed"), ("stopped", "stopped"))
        if summary.named(did)
    ]
    unchanged = summary.unchanged + len(summary.named("unchanged"))
    if unchanged:
        parts.append(f"{unchanged} unchanged")
    if summary.skipped:
        parts.append(f"{len(summary.skipped)} skipped behind a failure")
    not_started = [name for name in summary.not_started if name not in summary.skipped]
    if not_started:
        parts.append(f"{len(not_started)} not started")
    if not (summary.reports or summary.skipped):
        return "Everything is up to date: nothing to do" if unchanged else "There are no stages: nothing to do"
    return f"{', '.join(parts)} in {_seconds(summary.wall_s)}"
