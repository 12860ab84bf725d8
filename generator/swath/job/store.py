"""The DVC remote of a repository, as jobs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.dvc_border.remote_store import RemoteStore
    from swath.dvc_border.repository import Repository


def store_of(repository: Repository, environ: Mapping[str, str]) -> tuple[RemoteStore | None, str]:
    """The default remote, and what to say when there is none."""
    return None, "there is no DVC remote: nothing can be restored"
