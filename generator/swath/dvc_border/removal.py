"""Remove what stands in the way of an output. Links are removed, never followed: DVC's cache stays whole."""

from __future__ import annotations

import os


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file, a link, or a folder with all in it; nothing when it is not there.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        os.unlink(path)  # nearly always it is a file, or nothing: one call
    except FileNotFoundError:
        return
    except OSError:
        if os.path.islink(path) or not os.path.isdir(path):
            raise
        _remove_folder(path)


def _remove_folder(path: str | os.PathLike[str]) -> None:
    try:
        os.rmdir(path)
    except OSError:
        from shutil import rmtree  # all of shutil is much for a service's start

        rmtree(path)
