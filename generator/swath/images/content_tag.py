"""The tag of a service's image: what is in its folder, and which tool layer is added.

    <12 hex of the folder's Git tree, without what .dvcignore takes out>-t<tool layer>

Equal contents have equal tags on every machine, whatever the history is; an image is looked up by its tag, never
compared with dvc.lock. Called by `swath service build`, and by what makes images in CI.

Source: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects (blobs and trees), read 2026-11-22.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from pathspec import GitIgnoreSpec

if TYPE_CHECKING:
    from pathlib import Path

TOOL_LAYER: Final = 1  # of /opt/swath in an image; another number makes new images of all services
_IGNORE_FILE: Final = ".dvcignore"
_ALWAYS_OUT: Final = (".git", ".dvc")


def content_tag(folder: Path, root: Path, *, tool_layer: int = TOOL_LAYER) -> str:
    """The tag of the image that is built from a folder.

    Args:
        folder: the service's folder.
        root: the repository's root, whose .dvcignore counts.
        tool_layer: the version of the tool layer, at least 1.
    """
    ignore_file = root / _IGNORE_FILE
    lines = ignore_file.read_text(encoding="utf-8").splitlines() if ignore_file.is_file() else []
    tree = _tree(folder, root, GitIgnoreSpec.from_lines(lines)) or b""
    return f"{tree.hex()[:12] or '0' * 12}-t{tool_layer}"


def _tree(folder: Path, root: Path, ignored: GitIgnoreSpec) -> bytes | None:
    """The id of a folder as Git has it; None when nothing is in it, since Git knows no empty folders."""
    entries: list[tuple[bytes, bytes, bytes]] = []
    for child in folder.iterdir():
        name = os.fsencode(child.name)
        is_folder = child.is_dir() and not child.is_symlink()
        inside = child.relative_to(root).as_posix() + ("/" if is_folder else "")
        if child.name in _ALWAYS_OUT or ignored.match_file(inside):
            continue
        if not is_folder:
            entries.append((name, *_blob(child)))
        elif below := _tree(child, root, ignored):
            entries.append((name, b"40000", below))
    if not entries:
        return None
    entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == b"40000" else b""))
    return _object(b"tree", b"".join(mode + b" " + name + b"\0" + digest for name, mode, digest in entries))


def _blob(file: Path) -> tuple[bytes, bytes]:
    """Git's mode and id of a file or link."""
    if file.is_symlink():
        return b"120000", _object(b"blob", os.fsencode(os.readlink(file)))
    mode = b"100755" if file.stat().st_mode & 0o100 else b"100644"
    return mode, _object(b"blob", file.read_bytes())


def _object(kind: bytes, data: bytes) -> bytes:
    return hashlib.sha1(kind + b" " + str(len(data)).encode() + b"\0" + data, usedforsecurity=False).digest()
