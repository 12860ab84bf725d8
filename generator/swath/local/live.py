"""Show a run on a terminal, live: what runs, what is left, when it may end. Elsewhere: `progress.py`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from swath.local.progress import attempt_line, done_words, failure_text, seconds_text

if TYPE_CHECKING:
    from rich.console import Console

    from swath.local.stage_work import StageReport
    from swath.model.plan import Decision

_STYLES: Final = {
    "ran": "green",
    "restored": "cyan",
    "unchanged": "dim",
    "failed": "bold red",
    "stopped": "yellow",
}
_MOST_LINES: Final = 8


class Terminal:
    """Follows a run on a terminal: a line for each stage that is done, and below them what is at work."""

    def __init__(self, console: Console) -> None:
        self._console = console
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
        """Begin the live view."""
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
            self._say(Text(attempt_line(name, attempt), style="yellow"))

    def finished(self, report: StageReport) -> None:
        """A stage is done."""
        name = report.stage.name
        with self._lock:
            self._running.pop(name, None)
            self._left.pop(name, None)
        self._bar.advance(self._task)
        if report.did != "unchanged":
            word, rest = done_words(report)
            self._say(Text.assemble((word, _STYLES[report.did]), rest))
        if report.did == "failed":
            self._say(Text(failure_text(report), style="red"))

    def tick(self) -> None:
        """Draw again."""
        if self._live is not None:
            self._bar.update(self._task, rest=self._rest())
            self._live.update(self._view())

    def _say(self, text: Text) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _rest(self) -> str:
        """The estimate: past times of what is left, spread over the jobs; silent when times are unknown."""
        with self._lock:
            known = [seconds for seconds in self._left.values() if seconds is not None]
            share = len(known) / len(self._left) if self._left else 0.0
        if share < 0.5 or not known:
            return ""
        seconds = max(sum(known) / share / self._jobs, *known)
        return f"about {seconds_text(seconds)} left"

    def _view(self) -> Group:
        now = time.monotonic()
        with self._lock:
            running = list(self._running.items())
        lines = [
            Text(
                f"  {name}  {seconds_text(now - since)}" + (f"  attempt {attempt}" if attempt > 1 else ""), style="bold"
            )
            for name, (since, attempt) in running[:_MOST_LINES]
        ]
        if len(running) > _MOST_LINES:
            lines.append(Text(f"  and {len(running) - _MOST_LINES} more", style="dim"))
        return Group(*lines, self._bar)
