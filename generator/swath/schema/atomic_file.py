"""Write a text file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from swath.errors import NO_SPACE, PassingFaultError, UserError

if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(path: Path, text: str, *, name: str = "", note: str = "") -> None:
    """Write a file under a temporary name and rename it; its folder is made, its mode stays.

    Args:
        name: the file's name for messages; empty: its path.
        note: what else a message says, when it cannot be written.

    Raises:
        UserError: it cannot be written there.
        PassingFaultError: no space is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a machine that goes down may keep the new name and lose the text
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        message = f"{name or path} cannot be written: {error.strerror}{note and '; '}{note}"
        if error.errno in NO_SPACE:
            raise PassingFaultError(message) from error
        raise UserError(message, hint="check what stands there, and the permissions of its folder") from error
