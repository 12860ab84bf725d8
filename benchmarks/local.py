"""Benchmarks of the local runner against its peers, in one run on one machine; prints Markdown tables with ratios.

    python benchmarks/local.py run [--scenes 10 330] [--dvc-seconds 60]
    python benchmarks/local.py plan [--scenes 330 3300]
    python benchmarks/local.py start-up

Peers that are not installed are left out and said so (`uv pip install snakemake` for the whole table).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from graphs import stage_count, write_graph
from timing import Measured, measure, print_table


def main() -> None:
    """Run the chosen benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "plan", "start-up"])
    parser.add_argument("--scenes", type=int, nargs="*", default=[330])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dvc-seconds", type=float, default=60.0, help="how long dvc repro may work; 0: leave it out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swath-bench-") as folder:
        if options.what == "start-up":
            start_up(options.runs)
        for scenes in options.scenes if options.what != "start-up" else []:
            base = Path(folder) / str(scenes)
            write_graph(base / "graph", scenes)
            (run if options.what == "run" else plan)(base, scenes, options)


def run(base: Path, scenes: int, options: argparse.Namespace) -> None:
    """A first run of the whole graph on four jobs."""

    def fresh() -> Path:
        copy = base / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(base / "graph", copy)
        return copy

    rows: list[Measured | None] = [
        measure("make -j4", ["make", "-s", "-j4"], base, runs=options.runs, prepare=fresh),
        measure("swath run -j4", ["swath", "run", "-q", "-j4"], base, runs=options.runs, prepare=fresh),
    ]
    if shutil.which("snakemake"):
        command = ["snakemake", "-q", "all", "-c4"]
        rows.append(measure("snakemake -c4", command, base, runs=1, prepare=fresh))
    else:
        print("snakemake is not installed: left out", file=sys.stderr)
    stages = stage_count(scenes)
    if options.dvc_seconds:
        rows.append(_dvc_for_a_while(fresh(), stages, options.dvc_seconds))
    print_table(f"A first run of {stages} stages", rows, "make -j4")


def _dvc_for_a_while(folder: Path, stages: int, seconds: float) -> Measured | None:
    """`dvc repro` does not end in reasonable time: its stages in a fixed time, scaled to all of them."""
    start = time.perf_counter()
    process = subprocess.Popen(["dvc", "repro", "-q"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and time.perf_counter() - start < seconds:
        time.sleep(0.1)
    took = time.perf_counter() - start
    process.kill()
    process.wait()
    lock = folder / "dvc.lock"
    done = lock.read_text().count("\n    cmd:") if lock.exists() else 0
    if not done:
        print(
            f"dvc repro finished no stage in {took:.0f} s: left out; give it more with --dvc-seconds", file=sys.stderr
        )
        return None
    note = f"{done} stages in {took:.0f} s" + ("" if done >= stages else ", scaled up")
    return Measured("dvc repro", took / done * stages, 0.0, 0.0, note)


def plan(base: Path, scenes: int, options: argparse.Namespace) -> None:
    """Nothing changed: how long does it take to say so."""
    folder = base / "graph"
    subprocess.run(["swath", "run", "-q", "-j4"], cwd=folder, check=True)
    rows = [
        measure("dvc status", ["dvc", "status"], folder, runs=1),
        measure("dvc repro --dry", ["dvc", "repro", "--dry"], folder, runs=1),
        measure("swath plan", ["swath", "plan"], folder, runs=options.runs),
    ]
    print_table(f"{stage_count(scenes)} stages, nothing changed", rows, "dvc status")


def start_up(runs: int) -> None:
    """What every command pays."""
    here = Path.cwd()
    python = [sys.executable, "-c", "import click, yaml"]
    rows = [
        measure("python -c 'import click, yaml'", python, here, runs=runs * 3),
        measure("swath --help", ["swath", "--help"], here, runs=runs * 3),
        measure("swath exec --help", ["swath", "exec", "--help"], here, runs=runs * 3),
        measure("dvc --help", ["dvc", "--help"], here, runs=runs),
    ]
    print_table("Start-up", rows, "python -c 'import click, yaml'")


if __name__ == "__main__":
    main()
