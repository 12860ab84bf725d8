"""What came of running a recorded stage again. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VerdictKind = Literal["same", "differs", "failed", "skipped"]
FileChange = Literal["changed", "added", "missing"]


@dataclass(frozen=True, slots=True)
class OutDifference:
    """An output that came out otherwise.

    Attributes:
        path: from the root.
        recorded: its hash in dvc.lock.
        now: its hash now.
        files: of a folder, the files that differ, by path inside it; none when the recorded listing is not to be had.
    """

    path: str
    recorded: str
    now: str
    files: tuple[tuple[str, FileChange], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one stage.

    Attributes:
        kind: ``skipped``: it cannot be judged; `message` says why.
        message: why it failed or was skipped.
        log: path of its log; empty when it was not run.
    """

    stage: str
    kind: VerdictKind
    message: str = ""
    wall_s: float = 0.0
    outs: tuple[OutDifference, ...] = ()
    log: str = ""
