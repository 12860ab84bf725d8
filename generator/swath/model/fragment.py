"""Fragments: what one CI job leaves about its stages, for the jobs behind it and for the recording. No I/O.

A fragment lies in the DVC remote and is written again after each stage of its job; the text is made and read by
`schema/fragment_text.py`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.lock_entry import LockEntry

FRAGMENTS: Final = "swath"  # the folder in the remote, beside DVC's own
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.@-]+")


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage that a job did.

    Attributes:
        lock: its entry for dvc.lock; None: it failed.
        wall_s: of all attempts together; 0 when it was restored or came out unchanged.
        exit: exit code of the last attempt.
    """

    lock: LockEntry | None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    pulled_bytes: int = 0
    pushed_bytes: int = 0
    exit: int = 0

    @property
    def figures(self) -> dict[str, int | float]:
        """All but the lock entry, as documents say it: seconds to the millisecond."""
        return {
            "wall_s": round(self.wall_s, 3),
            "cpu_s": round(self.cpu_s, 3),
            "peak_memory_bytes": self.peak_memory_bytes,
            "pulled_bytes": self.pulled_bytes,
            "pushed_bytes": self.pushed_bytes,
            "exit": self.exit,
        }


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file that Git keeps and a stage made.

    Attributes:
        md5: of its bytes.
        text: its content; None: too large or no text, the object is in the remote.
    """

    md5: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one job did so far.

    Attributes:
        commit: the commit that it ran.
        plan: the digest of the plan that it belongs to.
        attempt: of the job, from 1.
        stages: by name, in the order in which they were done.
        files: by path from the root.
    """

    commit: str
    plan: str
    job: str
    attempt: int
    stages: Mapping[str, StageRecord] = field(default_factory=dict)
    files: Mapping[str, FileRecord] = field(default_factory=dict)


def pipeline_folder(pipeline: str, subfolder: str = "") -> str:
    """Where a pipeline's fragments lie in the remote.

    Args:
        subfolder: the DVC repository's folder in Git's checkout; empty: the top. Others of the same checkout run under
            the same pipeline, and may have the same remote.
    """
    return f"{FRAGMENTS}/{pipeline}" + (f"/at-{_file_name(subfolder)}" if subfolder else "")


def fragments_folder(pipeline: str, level: int, subfolder: str = "") -> str:
    """Where a level's fragments lie in the remote; as `pipeline_folder`."""
    return f"{pipeline_folder(pipeline, subfolder)}/{level}"


def fragment_path(pipeline: str, level: int, job: str, subfolder: str = "") -> str:
    """Where a job's fragment lies in the remote; as `pipeline_folder`."""
    return f"{fragments_folder(pipeline, level, subfolder)}/{_file_name(job)}.json"


def _file_name(text: str) -> str:
    """A text as the name of a file: `a/b` and `a-b` have one each."""
    name = _NOT_IN_NAMES.sub("-", text)[:150]
    return name if name == text else f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
