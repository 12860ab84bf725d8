"""A job's checkout has several users: the runner's helper made it, and jobs of other images come after us."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from swath.dvc_border.repository import Repository

_KEY: Final = "safe.directory"


def trust_checkout() -> None:
    """Let the Git commands of this process work there, beside what settings its environment has already."""
    said = os.environ.get("GIT_CONFIG_COUNT") or "0"
    if not (said.isascii() and said.isdigit()):  # Git says what is wrong
        return
    count = int(said)
    if (_KEY, "*") in (
        (os.environ.get(f"GIT_CONFIG_KEY_{n}"), os.environ.get(f"GIT_CONFIG_VALUE_{n}")) for n in range(count)
    ):
        return
    os.environ.update(
        {"GIT_CONFIG_COUNT": str(count + 1), f"GIT_CONFIG_KEY_{count}": _KEY, f"GIT_CONFIG_VALUE_{count}": "*"}
    )


def trust_checkout_of_job() -> None:
    """The same in GitLab's jobs alone: elsewhere Git's rule about other users' repositories holds."""
    if os.environ.get("GITLAB_CI"):
        trust_checkout()


def keep_checkout_open(repository: Repository) -> None:
    """Let all users write to what this process makes, where the runner's helper did so for the checkout itself.

    A runner keeps a checkout, with DVC's cache in it, for jobs of other images, which may run as other users. One that
    is closed to others (shell executor) stays so.

    Source: gitlab-runner, the Docker executor's helper runs with `umask 0000`; FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR
    gives the checkout to the image's user instead; read 2026-11-25.
    """
    if os.environ.get("GITLAB_CI") and os.stat(repository.checkout).st_mode & stat.S_IWOTH:
        os.umask(0)
