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
