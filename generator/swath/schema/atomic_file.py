"""Write a text file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from swath.errors import UserError


def write_atomically(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it; its folder is made.

    Raises:
        UserError: it cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path} cannot be written: {error.strerror}", hint="check the folder, its permissions and the space left"
        ) from error
