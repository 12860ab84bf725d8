"""What must not count when a folder is a dependency: the lines that a repository's `.dvcignore` ought to have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.errors import UserError
from swath.schema.atomic_file import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

IGNORE_FILE: Final = ".dvcignore"
FOR_SERVICES: Final = ("services/*/tests", "services/*/README*")
FOR_ALL: Final = ("__pycache__", ".gitignore")  # traces of Python, Git's own files
_HEAD: Final = "# What does not count when a folder is a dependency: a test or a README makes no result stale."


def with_ignored(text: str) -> str:
    """`.dvcignore` with these lines; those that are there stay where they are."""
    there = {line.strip() for line in text.splitlines()}
    lines = [line for line in (*FOR_SERVICES, *FOR_ALL) if line not in there]
    if not lines:
        return text
    head = [] if _HEAD in there else [_HEAD]
    before = text if not text or text.endswith("\n") else text + "\n"
    return before + "\n".join([*head, *lines]) + "\n"


def write_ignored(root: Path) -> bool:
    """Write the lines.

    Args:
        root: the repository's. Without DVC in it, nothing is written.

    Returns:
        Whether `.dvcignore` was changed.

    Raises:
        UserError: it cannot be read or written.
    """
    if not (root / ".dvc").is_dir():
        return False
    path = root / IGNORE_FILE
    try:
        text = path.read_bytes().decode() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", hint="a text file in UTF-8 is expected") from error
    lines = with_ignored(text)
    if lines == text:
        return False
    write_atomically(path, lines)
    return True
