"""See to it that no service outlives Swath, not even when Swath is ended by kill -9.

One small shell per Swath process reads from a pipe which process groups are at work. Swath alone holds its other end
(each service's launcher gives its copy back before the service starts), so its end of file means that Swath is gone:
the guard then kills the groups that are left. No code of ours runs between fork and exec, so that threads do no harm,
and a service enters itself before it starts, so that there is no moment in which it is unguarded.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import threading
from typing import Final

# "+ID" enters a group, "-ID" takes it out; at the end of the input all that are in are killed.
_GUARD: Final = """
trap '' HUP INT TERM
live=' '
while read -r line; do
  case $line in
    +*) live="$live${line#+} " ;;
    -*) case $live in *" ${line#-} "*) live="${live%% "${line#-}" *} ${live#* "${line#-}" }" ;; esac ;;
  esac
done
for group in $live; do kill -9 "-$group" 2>/dev/null; done
"""
# Stdin is the guard's pipe. The system's killer for lack of memory shall take the service before it takes Swath.
_LAUNCHER: Final = 'echo "+$$" >&0 && { echo 500 >/proc/self/oom_score_adj; } 2>/dev/null; exec "$@" </dev/null'


_END_S: Final = 2.0


class Guard:
    """The guard's process and our end of its pipe. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def pipe(self) -> int:
        """The file descriptor that a launcher gets as its stdin; starts the guard when it is not there."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return self._pipe

    def enter(self, group: int) -> None:
        """Put in a group that did not enter itself."""
        os.write(self.pipe(), f"+{group}\n".encode())

    def leave(self, group: int) -> None:
        """Take out a group that has ended."""
        with self._lock, contextlib.suppress(OSError):
            os.write(self._pipe, f"-{group}\n".encode())

    def close(self) -> None:
        """End the guard; groups that are still at work are killed."""
        with self._lock:
            if self._process is not None:
                os.close(self._pipe)
                with contextlib.suppress(subprocess.TimeoutExpired):  # a fork of ours may hold the pipe open
                    self._process.wait(_END_S)
                self._process = None

    def _start(self) -> None:
        if self._process is not None:
            os.close(self._pipe)
        reading, self._pipe = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD], stdin=reading, stdout=subprocess.DEVNULL, start_new_session=True, cwd="/",
                env={},
            )  # fmt: skip
        finally:
            os.close(reading)


GUARD: Final = Guard()  # this process's; it starts with the first service
atexit.register(GUARD.close)


def launcher(argv: list[str]) -> list[str]:
    """The words that enter the process into the guard's list and then become `argv`."""
    return ["/bin/sh", "-c", _LAUNCHER, "swath-launcher", *argv]
