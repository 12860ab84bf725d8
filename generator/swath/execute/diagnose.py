"""Why a service in a container failed, in a sentence for the user, from the last lines of its log. Pure.

The sandbox shows a service only what its arguments name. So a service that reads something else finds nothing there;
its own message ("No such file") would mislead, since the user sees the file in the workspace. `undeclared_paths` finds
these names in the log; `execute/container.py` turns them into the advice to declare them.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from swath.execute.mounts import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TAIL_BYTES: Final = 65_536
_MISSING: Final = re.compile(
    r"no such file|not found|does not exist|cannot (?:open|find|access|stat)|can't (?:open|find|cd)|couldn't open"
    r"|could not (?:open|find)|unable to (?:open|find|read)|failed to open|enoent|filenotfound|missing",
    re.IGNORECASE,
)
_READ_ONLY: Final = re.compile(r"read-only file ?system|erofs", re.IGNORECASE)
_NO_NETWORK: Final = re.compile(
    r"temporary failure in name resolution|name or service not known|network is unreachable|could not resolve host"
    r"|bad address|name resolution|getaddrinfo|enotfound|eai_again",
    re.IGNORECASE,
)
# What the engine's init process says. Source: tini 0.19, src/tini.c: spawn_process.
_NO_PROGRAM: Final = re.compile(r"\[FATAL tini \(\d+\)\] (exec .* failed: .*)")
_NO_CODE: Final = re.compile(
    r"^.*/opt/service/.*no such file|no such file.*/opt/service/", re.IGNORECASE | re.MULTILINE
)
# What a refused process or thread reads like: shells, Python, C++, Java, Node.js, Go, OpenBLAS.
_NO_PROCESS: Final = re.compile(
    r"(?:fork|clone|spawn|vfork)[^\n]*(?:resource temporarily unavailable|eagain)|can't (?:fork|start new thread)"
    r"|cannot fork|pthread_create[^\n]*(?:failed|resource temporarily)|unable to create (?:new )?native thread"
    r"|system_error[^\n]*resource temporarily|newosproc|blockingioerror[^\n]*resource temporarily",
    re.IGNORECASE,
)
_NO_SPACE: Final = re.compile(r"no space left on device|enospc", re.IGNORECASE)
_MAY_NOT_WRITE: Final = (
    "it tried to write where it may not: it can write its output arguments, /tmp, $HOME and $SWATH_SCRATCH; inputs are "
    "read-only. Declare the file as an output and give it to the service as an argument"
)
_ADVICE: Final = (
    (_NO_SPACE, "no space is left on the disk"),
    (_READ_ONLY, _MAY_NOT_WRITE),
    (_NO_CODE, "the image does not have its program in /opt/service: the Dockerfile copies the service's files there"),
)
# Single and double quotes, back ticks, and the curved quotes of GNU programs.
_QUOTED: Final = re.compile(r"""(?<!\w)'([^'\n]+)'|"([^"\n]+)"|\u2018([^\u2019\n]+)\u2019|`([^`'\n]+)[`']""")
_AROUND: Final = "()[]{}<>,;:'\"`\u2018\u2019"


def undeclared_paths(tail: str, wdir: str, is_hidden: Callable[[str], bool]) -> tuple[str, ...]:
    """The paths that the service missed though they are in the workspace.

    Args:
        tail: the end of the service's log.
        wdir: the stage's working directory, from the root.
        is_hidden: whether a path from the root is in the workspace, but was not shown to the service.

    Returns:
        Paths from the root, in the log's order, each once.
    """
    found: dict[str, None] = {}
    for line in filter(_MISSING.search, tail.splitlines()):
        for words in _guesses(line):
            paths = [path for word in words if (path := _in_repository(word, wdir)) and is_hidden(path)]
            found |= dict.fromkeys(paths)
            if paths:
                break
    return tuple(found)


def _guesses(line: str) -> Iterator[list[str]]:
    """Words of a line that may be paths: what is quoted, else the parts between colons, else words with / or a dot."""
    yield [group for groups in _QUOTED.findall(line) for group in groups if group]
    yield [part.strip() for part in line.split(": ")[1:]]
    yield [word for word in (word.strip(_AROUND) for word in line.split()) if "/" in word or "." in word]


def _in_repository(word: str, wdir: str) -> str | None:
    """The path from the root that a word of the log means; None for one that is outside, or the root itself."""
    if not word or "\0" in word or len(word) > 4096:
        return None
    inside = os.path.relpath(os.path.join(REPOSITORY, wdir, word), REPOSITORY)
    return None if inside in {".", ".."} or inside.startswith("../") else inside


def why_not_started(tail: str) -> str:
    """What the engine's init process said when it could not start the program; else nothing."""
    said = _NO_PROGRAM.search(tail)
    return said[1].strip() if said else ""


def has_no_space(tail: str) -> bool:
    """Whether the service found the disk full."""
    return _NO_SPACE.search(tail) is not None


def advice(tail: str, *, network: bool, pids: int, absent_secrets: Sequence[str] = ()) -> str:
    """What the log's end says about the sandbox: a sentence, or nothing.

    Args:
        tail: the end of the service's log.
        network: whether the service may use the network.
        pids: how many processes and threads it may have at a time.
        absent_secrets: names in the service's `secrets` that the caller does not have.
    """
    if _NO_PROCESS.search(tail):
        return f"it may have {pids} processes and threads at a time; raise `resources: {{pids: ...}}` for this stage"
    said = next((text for pattern, text in _ADVICE if pattern.search(tail)), "")
    if said:
        return said
    if not network and _NO_NETWORK.search(tail):
        return "it has no network: a service that downloads says `network: true` in its service.yaml"
    if absent_secrets:
        return f"these variables that it names as secrets are not set: {', '.join(absent_secrets)}"
    return ""
