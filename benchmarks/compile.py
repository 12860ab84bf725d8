"""How `swath compile` grows: seconds, jobs and bytes over 10 … 10,000 stages, all changed and none changed.

    python benchmarks/compile.py [--stages 10 100 1000 10000] [--runs N] [--figures FILE]

The graph is that of `graphs.py`: scenes through three stages each, then two more. The lock of the second half is written by
hand, since only its hashes matter. Prints a Markdown table; charts.py draws the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from graphs import STEPS, command, stage_count, write_graph
from timing import measure

from swath.schema.lock_text import LockEntry, write_lock

if TYPE_CHECKING:
    from swath.model.stage import JSONValue

_IDENTITY = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]


@dataclass(frozen=True)
class Figures:
    """What compiling one graph took: all stages changed, and none."""

    stages: int
    changed_s: float
    changed_cpu_s: float
    memory_mib: float
    jobs: int
    most_needs: int
    bytes: int
    unchanged_s: float
    unchanged_cpu_s: float


def main() -> None:
    """Make the graphs, time the command on each, print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, nargs="+", default=[10, 30, 100, 300, 1000, 3000, 10000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--figures", type=Path, help="a file for the figures as JSON, for charts.py")
    options = parser.parse_args()
    print("| stages | all changed: s | CPU s | MiB | jobs | most needs | bytes | none changed: s | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    with tempfile.TemporaryDirectory(prefix="swath-compile-") as base:
        for wanted in options.stages:
            scenes = max(1, round((wanted - 2) / 3))
            folder = Path(base) / str(scenes)
            write_graph(folder, scenes)
            rows.append(row(folder, scenes, options.runs))
    if options.figures:
        options.figures.write_text(json.dumps([asdict(each) for each in rows], indent=1) + "\n")


def row(folder: Path, scenes: int, runs: int) -> Figures:
    """Measure one graph and print its line."""
    compiling = ["swath", "compile", "-o", str(folder.parent / "child.yml")]
    changed = measure("changed", compiling, folder, runs=runs)
    text = (folder.parent / "child.yml").read_text()
    (folder / "dvc.lock").write_text(write_lock(lock(scenes)))
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *_IDENTITY, "commit", "-qm", "lock"], cwd=folder, check=True)
    unchanged = measure("unchanged", compiling, folder, runs=runs)
    if changed is None or unchanged is None:
        raise SystemExit("swath compile failed")
    if "nothing-to-do" not in (folder.parent / "child.yml").read_text():
        raise SystemExit("the lock is wrong")
    jobs = [job for job in yaml.safe_load(text).values() if isinstance(job, dict) and "script" in job]
    found = Figures(
        stage_count(scenes), changed.wall_s, changed.cpu_s, changed.memory_mib, len(jobs),
        max(len(job.get("needs", [])) for job in jobs), len(text.encode()), unchanged.wall_s, unchanged.cpu_s,
    )  # fmt: skip
    print(
        f"| {found.stages} | {found.changed_s:.2f} | {found.changed_cpu_s:.2f} | {found.memory_mib:.0f} | {found.jobs} | {found.most_needs} "
        f"| {found.bytes:,} | {found.unchanged_s:.2f} | {found.unchanged_cpu_s:.2f} |",
        flush=True,
    )
    return found


def lock(scenes: int) -> dict[str, LockEntry]:
    """The lock of a finished run: every file holds `x`, `combined` all of them."""
    keys = [f"s{number:05d}" for number in range(scenes)]
    stages: dict[str, LockEntry] = {}
    for name, source, target in STEPS:
        for key in keys:
            dep, out = source.format(k=key), target.format(k=key)
            stages[f"{name}@{key}"] = {"cmd": command(dep, out), "deps": [item(dep, 1)], "outs": [item(out, 1)]}
    tiles = [item(f"tiles/{key}", 1) for key in keys]
    stages["combine"] = {"cmd": "cat tiles/* > combined", "deps": tiles, "outs": [item("combined", scenes)]}
    stages["train"] = {"cmd": "cp combined model", "deps": [item("combined", scenes)], "outs": [item("model", scenes)]}
    return stages


def item(path: str, size: int) -> JSONValue:
    """A file of so many `x`, as the lock says it."""
    return {"path": path, "hash": "md5", "md5": hashlib.md5(b"x" * size).hexdigest(), "size": size}


if __name__ == "__main__":
    main()
