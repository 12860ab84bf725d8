"""A small file in a remote about its cleaning: whose the remote is, and whether `swath gc` is at work in it.

    swath/gc.json    {"version": 1, "repositories": ["<first commit>", …], "servers": [["<host/path>", …], …],
                      "cleaning": "<id>", "since": seconds | null}

Whoever sends objects skips those that are there already. One of them may be an old result that nobody names, which a
cleaning removes a moment later. So a sender looks here before and after: when a cleaning has begun in between, it
waits for its end and sends what was removed.

A cleaning that was killed cannot say that it has ended. So one that is at work writes the file again and again, and
whoever waits gives it up when the file stays the same. Clocks of two machines are never compared: they may differ.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from swath.errors import SwathError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swath.dvc_border.remote_files import RemoteFiles

MARKER: Final = "swath/gc.json"
_VERSION: Final = 1
_LOOK_S: Final = 5.0
_BEAT_S: Final = 30.0  # between two writings of a cleaning that is at work
_SILENT_S: Final = 300.0  # a cleaning that has written nothing for so long was killed


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What the file says.

    Attributes:
        repositories: the first commits of the repository whose the remote is.
        cleaning: an id of the last cleaning; empty: there was none.
        since: when it said last that it is at work, in seconds since 1970; None: it has ended.
        servers: for each clone in which somebody has claimed the remote, its Git servers: forks have others.
    """

    repositories: tuple[str, ...]
    cleaning: str = ""
    since: float | None = None
    servers: tuple[tuple[str, ...], ...] = ()


def read_cleaning(files: RemoteFiles) -> Cleaning | None:
    """What the file says; None: there is none.

    Raises:
        ValueError: it is not one that this version of Swath wrote.
        PassingFaultError: the remote does not answer.
    """
    data = files.read(MARKER)
    if data is None:
        return None
    try:
        document: Any = json.loads(data)
        since, names = document.get("since"), document["repositories"]
        good = document["version"] == _VERSION and isinstance(names, list) and isinstance(since, int | float | None)
        servers = tuple(tuple(map(str, each)) for each in document.get("servers", ()))
        found = Cleaning(tuple(map(str, names)), str(document.get("cleaning") or ""), since, servers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(MARKER) from error
    if not good:
        raise ValueError(MARKER)
    return found


def write_cleaning(files: RemoteFiles, cleaning: Cleaning, stop: threading.Event | None = None) -> None:
    """Write the file, unless `stop` is set before that is done."""
    document = {
        "version": _VERSION,
        "repositories": list(cleaning.repositories),
        "servers": [list(each) for each in cleaning.servers],
        "cleaning": cleaning.cleaning,
        "since": cleaning.since,
    }
    files.write(MARKER, json.dumps(document).encode(), stop)


@contextlib.contextmanager
def announced(files: RemoteFiles, beat_s: float = _BEAT_S) -> Iterator[None]:
    """Within the block, senders know that objects are being removed. Another cleaning is waited for."""
    last_cleaning(files)
    found = read_cleaning(files) or Cleaning(())
    now = replace(found, cleaning=uuid.uuid4().hex, since=time.time())
    write_cleaning(files, now)
    done = threading.Event()

    def beat() -> None:
        while not done.wait(beat_s):
            with contextlib.suppress(SwathError):  # the next one may come through
                write_cleaning(files, replace(now, since=time.time()), done)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        write_cleaning(files, replace(now, since=None))


def last_cleaning(
    files: RemoteFiles, sleep: Callable[[float], object] = time.sleep, clock: Callable[[], float] = time.monotonic
) -> str:
    """The id of the last cleaning, once none is at work; empty: there was none.

    Of one that was killed the end is written here, so that nobody else waits for it.
    """
    seen, since = None, clock()
    while True:
        try:
            found = read_cleaning(files)
        except ValueError:  # of another version: as if there were none
            return ""
        if found is None:
            return ""
        if found.since is None:
            return found.cleaning
        if found != seen:
            seen, since = found, clock()
        elif clock() - since > _SILENT_S:
            write_cleaning(files, replace(found, since=None))
            return found.cleaning
        sleep(_LOOK_S)
