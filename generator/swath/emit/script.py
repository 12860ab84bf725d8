"""The one place that writes shell: commands of our own jobs, each word quoted."""

from __future__ import annotations

import shlex
from typing import Final

_WITH_ITS_CODE: Final = "|| exit $?"
SWATH: Final = "/opt/swath/bin/swath"  # of the tool layer, which is in every image that a job runs in


def swath_command(*words: str) -> str:
    """A call of Swath as one line of a POSIX shell, which ends with its exit code.

    GitLab's runner pipes into an `eval`, from which bash gives back 1 for any failure of a program, so that `retry`
    would never see our 75; `exit` comes through.

    Source: https://gitlab.com/gitlab-org/gitlab-runner/-/issues/27668, read 2026-11-23.
    """
    return " ".join([SWATH, *(shlex.quote(word) for word in words), _WITH_ITS_CODE])


def enter(subfolder: str) -> tuple[str, ...]:
    """The first line of a script for the DVC repository in a folder of Git's checkout; empty: the top, no line.

    GitLab starts scripts at the top. With ``./``, no folder is taken for an option, for the one before, or looked for
    in CDPATH.
    """
    return (f"cd -- {shlex.quote(f'./{subfolder}')} {_WITH_ITS_CODE}",) if subfolder else ()


def swath_script(subfolder: str, *words: str) -> tuple[str, ...]:
    """A call of Swath in the DVC repository that lies in a folder of Git's checkout."""
    return (*enter(subfolder), swath_command(*words))


def from_subfolder(subfolder: str, file: str) -> str:
    """The path of a file at the top of Git's checkout, as seen from a folder in it."""
    return "../" * len(subfolder.split("/")) + file if subfolder else file
