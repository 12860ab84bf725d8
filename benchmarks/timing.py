"""Time whole commands and print them as a table of ratios."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """Median wall and processor seconds of a command, and its largest memory in MiB."""

    name: str
    wall_s: float
    cpu_s: float
    memory_mib: float
    note: str = ""


def measure(
    name: str,
    command: Sequence[str],
    folder: Path,
    *,
    runs: int = 3,
    prepare: Callable[[], Path] | None = None,
    limit_s: float = 600,
) -> Measured | None:
    """Run a command several times, after one run that does not count unless `prepare` makes each run fresh.

    Returns:
        None when it failed or took longer than `limit_s`.
    """
    walls, cpus, peaks = [], [], []
    for number in range(runs + (prepare is None)):
        place = prepare() if prepare else folder
        start, before = time.perf_counter(), os.times()
        process = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and time.perf_counter() - start < limit_s:
            time.sleep(0.002)
        if process.returncode is None:
            process.kill()
            process.wait()
            return None
        if process.returncode:
            return None
        after = os.times()
        if prepare or number:
            walls.append(time.perf_counter() - start)
            cpus.append(after.children_user + after.children_system - before.children_user - before.children_system)
            peaks.append(_peak_mib())
    return Measured(name, statistics.median(walls), statistics.median(cpus), max(peaks))


def _peak_mib() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def print_table(title: str, rows: Sequence[Measured | None], against: str) -> None:
    """A Markdown table; ratios against the row named `against`."""
    found = [row for row in rows if row]
    base = next((row for row in found if row.name == against), None)
    print(f"\n### {title}\n\n| command | wall s | CPU s | wall / {against} |  |\n|---|---|---|---|---|")
    for row in found:
        ratio = f"{row.wall_s / base.wall_s:.2f}" if base else ""
        print(f"| `{row.name}` | {row.wall_s:.2f} | {row.cpu_s:.2f} | {ratio} | {row.note} |")
