"""Ctrl-C and SIGTERM end a command in good order: they set an event, and what is finished is kept."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible(stop: threading.Event) -> Iterator[None]:
    """Within the block the signals set `stop`; under `nohup` a terminal that closes still does nothing."""
    heard = [each for each in _SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    old = {number: signal.signal(number, lambda *_: stop.set()) for number in heard}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
