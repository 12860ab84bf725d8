"""A small file in a remote about its cleaning: whose the remote is, and whether `swath gc` is at work in it.

    swath/gc.json    {"version": 1, "repositories": ["<first commit>", …], "servers": [["<host/path>", …], …],
                      "cleaning": "<id>", "since": seconds | null}

Whoever sends objects skips those that are there already. One of them may be an old result that nobody names, which a
cleaning removes a moment later. So a sender looks here before and after: when a cleaning has begun in between, it
waits for its end and sends what was removed.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swath.dvc_border.remote_files import RemoteFiles

MARKER: Final = "swath/gc.json"
_VERSION: Final = 1
_LOOK_S: Final = 5.0
_LONGEST_S: Final = 6 * 3600.0  # of a cleaning: one that began before was killed


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What the file says.

    Attributes:
        repositories: the first commits of the repository whose the remote is.
        cleaning: an id of the last cleaning; empty: there was none.
        since: when it began, in seconds since 1970; None: it has ended.
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


def write_cleaning(files: RemoteFiles, cleaning: Cleaning) -> None:
    """Write the file."""
    document = {
        "version": _VERSION,
        "repositories": list(cleaning.repositories),
        "servers": [list(each) for each in cleaning.servers],
        "cleaning": cleaning.cleaning,
        "since": cleaning.since,
    }
    files.write(MARKER, json.dumps(document).encode())


@contextlib.contextmanager
def announced(files: RemoteFiles) -> Iterator[None]:
    """Within the block, senders know that objects are being removed. The file is there."""
    found = read_cleaning(files) or Cleaning(())
    now = replace(found, cleaning=uuid.uuid4().hex, since=time.time())
    write_cleaning(files, now)
    try:
        yield
    finally:
        write_cleaning(files, replace(now, since=None))


def last_cleaning(files: RemoteFiles, sleep: Callable[[float], object] = time.sleep) -> str:
    """The id of the last cleaning, once none is at work; empty: there was none."""
    while True:
        try:
            found = read_cleaning(files)
        except ValueError:  # of another version: as if there were none
            return ""
        if found is None:
            return ""
        if found.since is None or not 0 <= time.time() - found.since < _LONGEST_S:
            return found.cleaning
        sleep(_LOOK_S)
