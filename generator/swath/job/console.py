"""The job's log on GitLab: a section for each stage, its output as it comes, and a sign of life when it is silent.

Services write into a file of their own (`.swath/logs`, an artifact); a thread copies what is new to the job's log. The
copy ends before the runner cuts the log (`output_limit`, 4 MiB by default), with a word where the rest is, and so do
our own lines about thousands of stages: who looks for the reason of a failure finds it at the end.

Source: https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections, read 2026-11-22.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, Final

import psutil

from swath.model.echoed_log import EchoedLog
from swath.model.units import Duration, Size
from swath.model.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_BYTES: Final = 3 * 2**20  # of stages' output in the job's log
_MOST_OWN_BYTES: Final = 2**19  # of our own lines there, signs of life among them
_STAMP_BYTES: Final = 40  # the runner's time before each line, which counts (FF_TIMESTAMPS)
_BEAT_S: Final = 60.0
_SLOWER: Final = 5  # times, when our own lines are used up: GitLab up to 18.8 gives up after 6 min of silence
_LOOK_S: Final = 0.2
_BLOCK: Final = 64 * 2**10
_ESCAPE: Final = b"\x1b"
_NOT_IN_SECTIONS: Final = re.compile(r"[^A-Za-z0-9_.-]+")


class Console:
    """Writes the job's log. Used by one thread, beside its own.

    Args:
        stream: the job's log.
        sections: whether its reader folds sections, as GitLab does.
        most_bytes: of stages' output.
        most_own_bytes: of our own lines.
        beat_s: longest silence while a stage runs.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        sections: bool,
        most_bytes: int = _MOST_BYTES,
        most_own_bytes: int = _MOST_OWN_BYTES,
        beat_s: float = _BEAT_S,
    ) -> None:
        self._stream, self._sections, self._left, self._beat_s = stream, sections, most_bytes, beat_s
        self._own_left = most_own_bytes
        self._lock = threading.RLock()
        self._count = 0
        self._log: Path | None = None
        self._position = 0
        self._echo = EchoedLog()

    def say(self, sentence: str) -> None:
        """Write a line of our own, behind what the stage has said."""
        self._copy()
        self._write_own(f"swath: {visible(sentence)}\n".encode())

    @contextlib.contextmanager
    def stage(self, name: str, log: Path) -> Iterator[None]:
        """Within the block, follow a stage's log file.

        What goes wrong in the thread that follows is raised at the end of the block, when its work is done.
        """
        self._count += 1
        name = visible(name).replace("\n", "\\n")
        section = f"swath_{self._count}_{_NOT_IN_SECTIONS.sub('-', name)[:60]}"
        marked = self._mark_start(section, name)
        self._log, self._position, self._echo = log, 0, EchoedLog()
        done, faults = threading.Event(), list[Exception]()
        follower = threading.Thread(target=self._follow_safely, args=(name, done, faults), daemon=True)
        follower.start()
        try:
            yield
        finally:
            done.set()
            follower.join()
            self._echo_text(self._echo.end(), log)
            self._log = None
            if marked and self._sections:
                self._write(_mark("end", section, ""))
        if faults:
            raise faults[0]

    def _mark_start(self, section: str, title: str) -> bool:
        """Say which stage begins, if there is room for it and for its end; whether there was."""
        return self._write_own(_mark("start", section, title) if self._sections else f"── {title}\n".encode())

    def _follow_safely(self, name: str, done: threading.Event, faults: list[Exception]) -> None:
        try:
            self._follow(name, done)
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost; `stage` raises it
            faults.append(error)

    def _follow(self, name: str, done: threading.Event) -> None:
        start = last = time.monotonic()
        while True:
            ended = done.wait(_LOOK_S)  # asked first: what came before the end is copied after it
            moved, now = self._copy(), time.monotonic()
            if moved:
                last = now
            elif now - last >= self._beat_s * (1 if self._own_left > 0 else _SLOWER) and not ended:
                last = now
                self._beat(name, now - start)
            if ended:
                return

    def _beat(self, name: str, seconds: float) -> None:
        memory = _memory_bytes()
        used = f", {Size(memory)} of memory" if memory else ""
        if not self._write_own(f"swath: {name} still runs: {Duration(round(seconds))}{used}\n".encode()):
            self._write(b".\n")

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
                    self._echo_text(self._echo.feed(block), self._log)
            return self._position > start
        return False

    def _echo_text(self, text: str, log: Path) -> None:
        """Write what a stage has said, while there is room."""
        block = text.encode()
        if self._left <= 0 or not block:
            return
        pieces = [block] if _size(block) <= self._left else block.splitlines(keepends=True)
        for piece in pieces:
            self._write(piece[: max(self._left, 0)])
            self._left -= _size(piece)
        if self._left <= 0:
            where = f".swath/logs/{log.name} (artifact)"
            self._write(f"\nswath: the log is cut here, before the runner cuts it; all of it is in {where}\n".encode())

    def _write_own(self, line: bytes) -> bool:
        """Write a line of our own while there is room; whether there was."""
        with self._lock:
            if self._own_left <= 0:
                return False
            self._own_left -= _size(line) * (2 if line.startswith(_ESCAPE) else 1)  # the end of a section is as long
            self._write(line)
            if self._own_left <= 0:
                self._write(b"swath: the log would grow too long: from here on only what stages say, and errors\n")
            return True

    def _write(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):  # a log that cannot be written ends no training
            self._stream.write(data)
            self._stream.flush()


def _mark(what: str, section: str, title: str) -> bytes:
    return f"\x1b[0Ksection_{what}:{int(time.time())}:{section}\r\x1b[0K{title}\n".encode()


def _size(data: bytes) -> int:
    """What a text takes of the runner's limit."""
    return len(data) + _STAMP_BYTES * data.count(b"\n")


def _memory_bytes() -> int:
    """Memory of all processes that this one has started; those in containers of an engine are not among them."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += int(child.memory_info().rss)
    return total
