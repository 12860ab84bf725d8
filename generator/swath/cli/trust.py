"""In a job the runner's helper checked the files out, as another user: Git is to trust them all the same."""

from __future__ import annotations

import os
from typing import Final

_TRUST: Final = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


def trust_checkout() -> None:
    """Let the Git commands of this process work there, unless its settings come from the environment already."""
    if "GIT_CONFIG_COUNT" not in os.environ:
        os.environ.update(_TRUST)
