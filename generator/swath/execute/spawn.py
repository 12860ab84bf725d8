"""Start a program without holding up the other threads of this process.

`subprocess` and `os.posix_spawn` hold Python's lock until the new process has executed its program, so that in a run of
many short stages all threads wait at each start. The C library's `posix_spawn`, called through ctypes, gives the lock
back meanwhile. No code of ours runs between fork and exec. Called by `execute/shell.py`.

Source: posix_spawn(3) and glibc 2.36 `spawn.h` (POSIX_SPAWN_SETSID since 2.26, `addchdir_np` 2.29, `addclosefrom_np`
2.34), read 2026-11-22. Where the library lacks one of them (musl), `subprocess` does it.
"""

from __future__ import annotations

import ctypes
import os
import signal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from swath.execute.child import start_by_subprocess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.execute.child import Program

_SETSIGDEF: Final = 0x04
_SETSID: Final = 0x80
_ROOM: Final = 1024  # bytes for the library's own structures: glibc's take 80, 128 and 336
_ADD: Final = "posix_spawn_file_actions_"
_NEEDED: Final = ("posix_spawn", "posix_spawnattr_setflags", f"{_ADD}addchdir_np", f"{_ADD}addclosefrom_np")


def start(program: Program) -> int:
    """Start a program in a session of its own.

    Returns:
        Its process id. Whoever calls takes its exit.

    Raises:
        OSError: the system cannot start it.
        ValueError: a word or a variable holds a zero byte.
    """
    library = _library()
    if library is None:
        return start_by_subprocess(program)
    words = _strings(map(os.fsencode, program.argv))
    variables = _strings(_variable(name, value) for name, value in program.environment.items())
    actions = ctypes.create_string_buffer(_ROOM)
    _check(library.posix_spawn_file_actions_init(actions))
    try:
        _describe(library, program, actions)
        pid = ctypes.c_int()
        code = library.posix_spawn(
            ctypes.byref(pid), os.fsencode(program.file), actions, _attributes(), words, variables
        )
        _check(code, program.file)
    finally:
        library.posix_spawn_file_actions_destroy(actions)
    return pid.value


def _describe(library: ctypes.CDLL, program: Program, actions: ctypes.Array[ctypes.c_char]) -> None:
    """What the new process does before it executes the program: its folder, and file descriptors 0 to 2 alone."""
    _check(library.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(program.cwd)))
    if program.stdin is None:
        _check(library.posix_spawn_file_actions_addopen(actions, 0, os.devnull.encode(), os.O_RDONLY, 0))
    else:
        _check(library.posix_spawn_file_actions_adddup2(actions, program.stdin, 0))
    for number in (1, 2) if program.output is not None else ():
        _check(library.posix_spawn_file_actions_adddup2(actions, program.output, number))
    _check(library.posix_spawn_file_actions_addclosefrom_np(actions, 3))


@cache
def _library() -> ctypes.CDLL | None:
    """The C library, if it has all that is needed."""
    library = ctypes.CDLL(None)
    return library if all(hasattr(library, name) for name in _NEEDED) else None


@cache
def _attributes() -> ctypes.Array[ctypes.c_char]:
    """A session of its own; the signals that Python ignores are as usual."""
    library = ctypes.CDLL(None)
    attributes, signals = ctypes.create_string_buffer(_ROOM), ctypes.create_string_buffer(_ROOM)
    _check(library.posix_spawnattr_init(attributes))
    _check(library.sigemptyset(signals))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        _check(library.sigaddset(signals, number))
    _check(library.posix_spawnattr_setsigdefault(attributes, signals))
    _check(library.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETSIGDEF | _SETSID)))
    return attributes


@lru_cache(1024)
def _variable(name: str, value: str) -> bytes:
    return os.fsencode(f"{name}={value}")


def _strings(texts: Iterable[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    """A list of C strings, with a null at its end."""
    encoded = list(texts)
    if any(b"\0" in each for each in encoded):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded)


def _check(code: int, file: str | None = None) -> None:
    if code:
        raise OSError(code, os.strerror(code), file)
