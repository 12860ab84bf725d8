"""The job's log on GitLab: a section for each stage, its output as it comes, and a sign of life when it is silent.

Services write into a file of their own (`.swath/logs`, an artifact); a thread copies what is new to the job's log. The
copy ends before the runner cuts the log (`output_limit`, 4 MB by default), with a word where the rest is.

Source: https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections, read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, Final

import psutil

from swath.model.units import Duration, Size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_BYTES: Final = 3 * 2**20  # of stages' output in the job's log
_BEAT_S: Final = 60.0
_LOOK_S: Final = 0.2
_BLOCK: Final = 64 * 2**10
_NOT_IN_SECTIONS: Final = re.compile(r"[^A-Za-z0-9_.-]+")


class Console:
    """Writes the job's log. Used by one thread, beside its own.

    Args:
        stream: the job's log.
        sections: whether its reader folds sections, as GitLab does.
        most_bytes: of stages' output.
        beat_s: longest silence while a stage runs.
    """

    def __init__(
        self, stream: BinaryIO, *, sections: bool, most_bytes: int = _MOST_BYTES, beat_s: float = _BEAT_S
    ) -> None:
        self._stream, self._sections, self._left, self._beat_s = stream, sections, most_bytes, beat_s
        self._lock = threading.RLock()
        self._count = 0
        self._log: Path | None = None
        self._position = 0

    def say(self, sentence: str) -> None:
        """Write a line of our own, behind what the stage has said."""
        self._copy()
        self._write(f"swath: {sentence}\n".encode())

    @contextlib.contextmanager
    def stage(self, name: str, log: Path) -> Iterator[None]:
        """Within the block, follow a stage's log file."""
        self._count += 1
        section = f"swath_{self._count}_{_NOT_IN_SECTIONS.sub('-', name)[:60]}"
        self._mark("start", section, name)
        self._log, self._position = log, 0
        done = threading.Event()
        follower = threading.Thread(target=self._follow, args=(name, done), daemon=True)
        follower.start()
        try:
            yield
        finally:
            done.set()
            follower.join()
            self._log = None
            self._mark("end", section, "")

    def _mark(self, what: str, section: str, title: str) -> None:
        if self._sections:
            self._write(f"\x1b[0Ksection_{what}:{int(time.time())}:{section}\r\x1b[0K{title}\n".encode())
        elif title:
            self._write(f"── {title}\n".encode())

    def _follow(self, name: str, done: threading.Event) -> None:
        start = last = time.monotonic()
        while True:
            ended = done.wait(_LOOK_S)  # asked first: what came before the end is copied after it
            moved, now = self._copy(), time.monotonic()
            if moved:
                last = now
            elif now - last >= self._beat_s and not ended:
                last = now
                memory = _memory_bytes()
                used = f", {Size(memory)} of memory" if memory else ""
                self.say(f"{name} still runs: {Duration(round(now - start))}{used}")
            if ended:
                return

    def _copy(self) -> bool:
        """Copy what the stage has said since; whether that was anything."""
        with self._lock, contextlib.suppress(OSError):
            if self._log is None:
                return False
            start = self._position
            with self._log.open("rb") as file:
                file.seek(start)
                while block := file.read(_BLOCK):
                    self._position += len(block)
                    self._pass_on(block, self._log)
            return self._position > start
        return False

    def _pass_on(self, block: bytes, log: Path) -> None:
        if self._left <= 0:
            return
        self._write(block[: self._left])
        self._left -= len(block)
        if self._left <= 0:
            where = f".swath/logs/{log.name} (artifact)"
            self._write(f"\nswath: the log is cut here, before the runner cuts it; all of it is in {where}\n".encode())

    def _write(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._stream.write(data)
            self._stream.flush()


def _memory_bytes() -> int:
    """Memory of all processes that this one has started; those in containers of an engine are not among them."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += int(child.memory_info().rss)
    return total
