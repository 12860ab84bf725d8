"""The text of dvc.lock: Swath's writer and reader against the libraries behind them, for commands of 60 to 200 characters.

    python benchmarks/lock.py [--entries 400 9902] [--runs 3]

Prints Markdown; seconds are of the processor, medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

from compile import lock
from dvc.utils.serialize import dumps_yaml, loads_yaml

from swath.schema import yaml12
from swath.schema.lock_text import LockEntry, read_lock, write_lock

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Write and read locks of each size, by each library."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, nargs="+", default=[400, 9902])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print("| entries | by | written: CPU s | / swath | read: CPU s | / swath |\n|---|---|---|---|---|---|")
    for wanted in options.entries:
        entries = lock(max(1, round((wanted - 2) / 3)))
        _measure(entries, options.runs)


def _measure(entries: dict[str, LockEntry], runs: int) -> None:
    text = write_lock(entries)  # what is imported at the first long line is not timed
    document = {"schema": "2.0", "stages": entries}
    rows: list[tuple[str, Callable[[], object] | None, Callable[[], object]]] = [
        ("swath", lambda: write_lock(entries), lambda: read_lock(text, "dvc.lock")),
        ("ruamel.yaml, as DVC calls it", lambda: dumps_yaml(document), lambda: loads_yaml(text)),
        ("libyaml under Swath's resolver", None, lambda: yaml12.parse(text, "dvc.lock")),
    ]
    base: tuple[float, float] | None = None
    for name, write, read in rows:
        took = _cpu_s(runs, write) if write else 0.0, _cpu_s(runs, read)
        base = base or took
        written = f"{took[0]:.3f} | {took[0] / base[0]:.0f}" if write else "- | -"
        print(f"| {len(entries)} | {name} | {written} | {took[1]:.3f} | {took[1] / base[1]:.0f} |", flush=True)


def _cpu_s(runs: int, call: Callable[[], object]) -> float:
    took = []
    for _ in range(runs):
        start = time.process_time()
        call()
        took.append(time.process_time() - start)
    return statistics.median(took)


if __name__ == "__main__":
    main()
