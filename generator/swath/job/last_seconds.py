"""What a job can still do after SIGTERM: all of it has to fit into the time that the runner leaves."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from swath.limits import STOP_S

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOR_THE_END_S: Final = 1.5  # to write what is said of the failure and the artifacts' folder, and to exit
_LOOK_S: Final = 0.2


@contextlib.contextmanager
def last_seconds(stop: threading.Event, within_s: float = STOP_S - _FOR_THE_END_S) -> Iterator[threading.Event]:
    """Within the block, know when the time after a stop is used up.

    Args:
        stop: the job is being stopped.
        within_s: how long after that something may still be done.

    Yields:
        What is set when nothing more is to be begun, and what is under way is to be given up.
    """
    late, left = threading.Event(), threading.Event()

    def watch() -> None:
        while not left.is_set():
            if stop.wait(_LOOK_S):
                left.wait(within_s)
                late.set()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield late
    finally:
        left.set()
