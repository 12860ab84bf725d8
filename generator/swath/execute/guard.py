"""See to it that no service outlives Swath, not even when Swath is ended by kill -9.

One small shell per Swath process reads from a pipe which process groups are at work. Swath alone holds its other end
(each service's supervisor gives its copy back before it starts the service), so its end of file means that Swath is
gone: the guard then kills the groups that are left, and before them all that is below their leaders, in whatever group.
No code of ours runs between fork and exec, so that threads do no harm, and a service's supervisor enters itself before
it starts the service, so that there is no moment in which it is unguarded.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from typing import Final

from swath.execute import supervisor

# "+ID" enters a group, "-ID" takes it out; at the end of the input all that are in are killed. A supervisor must not go
# before those below it, who would become nobody's; while it is there it takes their exits, so that `below` gets empty.
_GUARD: Final = """
trap '' HUP INT TERM
live=' '
while read -r line; do
  case $line in
    +*) live="$live${line#+} " ;;
    -*) case $live in *" ${line#-} "*) live="${live%% "${line#-}" *} ${live#* "${line#-}" }" ;; esac ;;
  esac
done
below() {
  for file in /proc/"$1"/task/*/children; do
    children=
    read -r children 2>/dev/null <"$file"
    for child in $children; do
      echo "$child"
      (below "$child")
    done
  done
}
for group in $live; do
  tries=0
  while [ "$tries" -lt 50 ] && all=$(below "$group" 2>/dev/null) && [ -n "$all" ]; do
    kill -9 $all 2>/dev/null
    tries=$((tries + 1))
  done
  kill -9 "-$group" 2>/dev/null
done
"""
_END_S: Final = 2.0


class Guard:
    """The guard's process and our end of its pipe. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1  # the same number as long as this object is open: a thread may be about to hand it on
        self._live: set[int] = set()  # for a guard that has to be started anew, since somebody killed it

    def pipe(self) -> int:
        """The file descriptor that a launcher gets as its stdin; starts the guard when it is not there.

        Raises:
            OSError: the system cannot start it now.
        """
        with self._lock:
            self._see_to_guard()
            return self._pipe

    def enter(self, group: int, *, enters_itself: bool = False) -> None:
        """Put in a group; of one that enters itself note is taken, no more.

        Raises:
            OSError: the system cannot start a guard now.
        """
        with self._lock:
            started = self._see_to_guard()
            self._live.add(group)
            if started or not enters_itself:
                os.write(self._pipe, f"+{group}\n".encode())

    def leave(self, group: int) -> None:
        """Take out a group that has ended."""
        with self._lock, contextlib.suppress(OSError):
            self._live.discard(group)
            os.write(self._pipe, f"-{group}\n".encode())

    def close(self) -> None:
        """End the guard; groups that are still at work are killed."""
        with self._lock:
            if self._process is not None:
                os.close(self._pipe)
                self._pipe = -1
                with contextlib.suppress(subprocess.TimeoutExpired):  # a fork of ours may hold the pipe open
                    self._process.wait(_END_S)
                self._process = None

    def _see_to_guard(self) -> bool:
        """Start the guard when it is not there; whether that was done."""
        if self._process is not None and self._process.poll() is None:
            return False
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD], stdin=reading, stdout=subprocess.DEVNULL, start_new_session=True, cwd="/",
                env={},
            )  # fmt: skip
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        if self._pipe < 0:
            self._pipe = writing
        else:
            os.dup2(writing, self._pipe, inheritable=False)
            os.close(writing)
        for group in sorted(self._live):
            os.write(self._pipe, f"+{group}\n".encode())
        return True


GUARD: Final = Guard()  # this process's; it starts with the first service
atexit.register(GUARD.close)


def supervised(argv: list[str]) -> list[str]:
    """The words of a supervisor, which enters itself into the guard's list and runs `argv`; its stdin is our pipe."""
    return [sys.executable, "-I", "-S", supervisor.__file__, *argv]
