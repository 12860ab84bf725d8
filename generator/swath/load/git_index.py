"""What Git tracks, read from its index: path -> mode. No git program, no library: an image may have neither.

    .git/index:  header, entries (times, mode, hash, flags, name), extensions

Called by `load/git_files.py`. An index in a form that is not read here (split, sparse) is asked of the git program.

Source: https://git-scm.com/docs/index-format, read 2026-11-22; Git 2.39 writes versions 2 to 4.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIXED: Final = struct.Struct(">24xI12x")  # times, device, inode; mode; uid, gid, size
_KNOWN_EXTENSIONS: Final = frozenset({b"TREE", b"REUC", b"UNTR", b"FSMN", b"EOIE", b"IEOT"})
_EXTENDED: Final = 0x4000
_SHA256: Final = re.compile(r"^\s*objectformat\s*=\s*sha256\s*$", re.IGNORECASE | re.MULTILINE)


def git_folder(root: Path) -> tuple[Path, Path] | None:
    """The work tree that `root` lies in, and its Git folder; None outside of Git."""
    for folder in (root, *root.parents):
        git = folder / ".git"
        if git.is_dir():
            return folder, git
        if git.is_file():  # a further work tree, or a submodule
            said = git.read_text(encoding="utf-8", errors="surrogateescape").removeprefix("gitdir:").strip()
            return folder, folder / said
    return None


def common_folder(git: Path) -> Path:
    """The Git folder that all work trees share."""
    file = git / "commondir"
    return git / file.read_text(encoding="utf-8").strip() if file.is_file() else git


def tracked_modes(git: Path, worktree: Path, below: str) -> dict[str, int]:
    """Git's mode of every tracked file.

    Args:
        git: the Git folder of the work tree.
        worktree: the work tree.
        below: only files below this folder, from the work tree; empty: all.

    Returns:
        Mode by path from the work tree.

    Raises:
        UserError: the index has a form that cannot be read.
    """
    file = git / "index"
    if not file.is_file():
        return {}
    hash_size = 32 if _is_sha256(common_folder(git)) else 20
    state = file.stat()
    try:
        entries = _modes(file, (state.st_mtime_ns, state.st_size, state.st_ino), hash_size)
    except (struct.error, IndexError, ValueError) as error:
        raise UserError(f"Git's index cannot be read: {error}", hint="see: git status") from error
    if entries is None:
        return _asked(worktree, below)
    prefix = os.fsencode(f"{below}/" if below else "")
    return {os.fsdecode(name): mode for name, mode in entries.items() if name.startswith(prefix)}


def _is_sha256(git: Path) -> bool:
    config = git / "config"
    return config.is_file() and bool(_SHA256.search(config.read_text(encoding="utf-8", errors="replace")))


@lru_cache(maxsize=2)
def _modes(file: Path, _state: tuple[int, int, int], hash_size: int) -> dict[bytes, int] | None:
    """Mode by name, kept while the file is the same; None when an extension says that more entries stand elsewhere."""
    data = file.read_bytes()
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in {2, 3, 4}:
        raise ValueError(f"version {version}")
    modes: dict[bytes, int] = {}
    position = 12
    for name, mode, end in _entries(data, hash_size, version, count):
        modes[name] = mode
        position = end
    while position < len(data) - hash_size:
        extension, size = struct.unpack_from(">4sI", data, position)
        if extension not in _KNOWN_EXTENSIONS:
            return None
        position += 8 + size
    return modes


def _entries(data: bytes, hash_size: int, version: int, count: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, mode, and where the entry ends."""
    position, name = 12, b""
    for _ in range(count):
        start = position
        (mode,) = _FIXED.unpack_from(data, start)
        position += _FIXED.size + hash_size
        (flags,) = struct.unpack_from(">H", data, position)
        position += 4 if flags & _EXTENDED else 2
        if version == 4:
            dropped, position = _varint(data, position)
            end = data.index(b"\0", position)
            name = name[: len(name) - dropped] + data[position:end]
            position = end + 1
        else:
            end = data.index(b"\0", position)
            name = data[position:end]
            position = start + (end - start + 8) // 8 * 8
        yield name, mode, position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = data[position] & 0x7F
    while data[position] & 0x80:
        position += 1
        value = ((value + 1) << 7) | (data[position] & 0x7F)
    return value, position + 1


def _asked(worktree: Path, below: str) -> dict[str, int]:
    words = ["git", "-c", f"safe.directory={worktree}", "ls-files", "-z", "--cached", "--stage", "--"]
    pathspec = f":(top,literal){below}" if below else ":(top)"
    done = subprocess.run([*words, pathspec], cwd=worktree, capture_output=True, check=False)
    if done.returncode:
        raise UserError(f"Git's index cannot be read: {os.fsdecode(done.stderr).strip()}", hint="see: git status")
    rows = (os.fsdecode(row).split("\t", 1) for row in done.stdout.split(b"\0") if row)
    return {name: int(facts.split(" ", 1)[0], 8) for facts, name in rows}
