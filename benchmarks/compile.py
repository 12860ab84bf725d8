"""How `swath compile` grows: seconds, jobs and bytes over 10 … 10,000 stages, all changed and none changed.

    python benchmarks/compile.py [--stages 10 100 1000 10000] [--runs N]

The graph is that of `graphs.py`: scenes through three stages each, then two more. The lock of the second half is written by
hand, since only its hashes matter. Prints a Markdown table and a chart.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from graphs import STEPS, stage_count, write_graph
from timing import measure

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDENTITY = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]


def main() -> None:
    """Make the graphs, time the command on each, print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, nargs="+", default=[10, 30, 100, 300, 1000, 3000, 9902])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print("| stages | all changed: s | CPU s | MiB | jobs | most needs | bytes | none changed: s | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    seconds = {}
    with tempfile.TemporaryDirectory(prefix="swath-compile-") as base:
        for wanted in options.stages:
            scenes = max(1, round((wanted - 2) / 3))
            folder = Path(base) / str(scenes)
            write_graph(folder, scenes)
            seconds[stage_count(scenes)] = row(folder, scenes, options.runs)
    print("\n```")
    print("\n".join(chart(seconds)))
    print("```")


def row(folder: Path, scenes: int, runs: int) -> float:
    """Measure one graph and print its line; CPU seconds when all is changed."""
    command = ["swath", "compile", "-o", str(folder.parent / "child.yml")]
    changed = measure("changed", command, folder, runs=runs)
    text = (folder.parent / "child.yml").read_text()
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock(scenes), sort_keys=False))
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *_IDENTITY, "commit", "-qm", "lock"], cwd=folder, check=True)
    unchanged = measure("unchanged", command, folder, runs=runs)
    if changed is None or unchanged is None:
        raise SystemExit("swath compile failed")
    if "nothing-to-do" not in (folder.parent / "child.yml").read_text():
        raise SystemExit("the lock is wrong")
    jobs = [job for job in yaml.safe_load(text).values() if isinstance(job, dict) and "script" in job]
    needs = max(len(job.get("needs", [])) for job in jobs)
    print(
        f"| {stage_count(scenes)} | {changed.wall_s:.2f} | {changed.cpu_s:.2f} | {changed.memory_mib:.0f} | {len(jobs)} | {needs} "
        f"| {len(text.encode()):,} | {unchanged.wall_s:.2f} | {unchanged.cpu_s:.2f} |"
    )
    return changed.cpu_s


def lock(scenes: int) -> dict[str, object]:
    """The lock of a finished run: every file holds `x`, `combined` all of them."""
    keys = [f"s{number:05d}" for number in range(scenes)]
    stages: dict[str, object] = {}
    for name, source, target in STEPS:
        for key in keys:
            dep, out = source.format(k=key), target.format(k=key)
            cmd = f"mkdir -p {out.split('/')[0]} && cp {dep} {out}"
            stages[f"{name}@{key}"] = {"cmd": cmd, "deps": [item(dep, 1)], "outs": [item(out, 1)]}
    tiles = [item(f"tiles/{key}", 1) for key in keys]
    stages["combine"] = {"cmd": "cat tiles/* > combined", "deps": tiles, "outs": [item("combined", scenes)]}
    stages["train"] = {"cmd": "cp combined model", "deps": [item("combined", scenes)], "outs": [item("model", scenes)]}
    return {"schema": "2.0", "stages": stages}


def item(path: str, size: int) -> dict[str, object]:
    """A file of so many `x`, as the lock says it."""
    return {"path": path, "hash": "md5", "md5": hashlib.md5(b"x" * size).hexdigest(), "size": size}


def chart(seconds: dict[int, float]) -> Iterator[str]:
    """Bars of CPU seconds, a tenth for each mark: wall time says little where others run too."""
    yield "CPU seconds by stages, all changed"
    for stages, cpu_s in seconds.items():
        yield f"{stages:>6} {'#' * max(1, math.ceil(cpu_s * 10)):<40} {cpu_s:.2f}"


if __name__ == "__main__":
    main()
