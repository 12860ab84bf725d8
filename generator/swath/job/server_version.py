"""The GitLab server that a job runs on: its version decides what the compiled pipeline may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.settings import Settings


def at_server(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The settings, with the version of the server in place of `ci.gitlab_version`.

    Outside of GitLab, and where the variables are no numbers, they stay as they are.

    Args:
        environ: GitLab sets CI_SERVER_VERSION_MAJOR and CI_SERVER_VERSION_MINOR in each job.
    """
    numbers = [environ.get(f"CI_SERVER_VERSION_{part}", "") for part in ("MAJOR", "MINOR")]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return settings
    return replace(settings, ci=replace(settings.ci, gitlab_version=".".join(numbers)))
