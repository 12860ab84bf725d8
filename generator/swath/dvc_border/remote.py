"""Ask the DVC remote what it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.dvc_border.remote_store import RemoteStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.dvc_border.repository import Repository
    from swath.model.content import Content


def missing_in_remote(repository: Repository, contents: Iterable[Content]) -> set[str]:
    """Hashes of the contents that the default remote lacks, wholly or in part; DVC 2's are not asked for.

    Raises:
        UserError: there is no remote, or it refuses.
        PassingFaultError: it does not answer.
    """
    wanted = [content for content in contents if not content.legacy]
    return RemoteStore(repository).missing(wanted) if wanted else set()
