"""What the levels before left in the remote: files into the checkout, lock entries over the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from swath.dvc_border.remote_store import RemoteStore
    from swath.dvc_border.repository import Repository
    from swath.model.lock_entry import LockEntry


def files_and_entries(
    store: RemoteStore | None, environ: Mapping[str, str], commit: str, level: int
) -> Callable[[Repository], Mapping[str, LockEntry]]:
    """What puts the results of levels below `level` into a checkout, and returns their lock entries."""
    raise UserError("level 2 needs the DVC remote of the pipeline")
