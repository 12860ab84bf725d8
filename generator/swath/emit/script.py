"""The one place that writes shell: commands of our own jobs, each word quoted."""

from __future__ import annotations

import shlex
from typing import Final

SWATH: Final = "/opt/swath/bin/swath"  # of the tool layer, which is in every image that a job runs in


def swath_command(*words: str) -> str:
    """A call of Swath as one line of a POSIX shell."""
    return " ".join([SWATH, *(shlex.quote(word) for word in words)])
