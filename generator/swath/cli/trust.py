"""A job's checkout has several users: the runner's helper made it, and jobs of other images come after us."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from swath.dvc_border.repository import Repository

_TRUST: Final = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


def trust_checkout() -> None:
    """Let the Git commands of this process work there, unless its settings come from the environment already."""
    if "GIT_CONFIG_COUNT" not in os.environ:
        os.environ.update(_TRUST)


def keep_checkout_open(repository: Repository) -> None:
    """Let all users write to what this process makes, where the runner's helper did so for the checkout itself.

    A runner keeps a checkout, with DVC's cache in it, for jobs of other images, which may run as other users. One that
    is closed to others (shell executor) stays so.

    Source: gitlab-runner, the Docker executor's helper runs with `umask 0000`; FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR
    gives the checkout to the image's user instead; read 2026-11-25.
    """
    if os.environ.get("GITLAB_CI") and os.stat(repository.checkout).st_mode & stat.S_IWOTH:
        os.umask(0)
