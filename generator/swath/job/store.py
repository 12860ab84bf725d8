"""The DVC remote of a repository, as jobs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.dvc_border.remote_store import RemoteStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.dvc_border.patience import Patience
    from swath.dvc_border.repository import Repository

SETTINGS_VARIABLE: Final = "SWATH_DVC_CONFIG"  # a file variable: the remote's credentials


def store_of(
    repository: Repository, environ: Mapping[str, str], patience: Patience | None = None
) -> tuple[RemoteStore | None, str]:
    """The default remote, and what to say when there is none.

    The file that SWATH_DVC_CONFIG names is laid over the repository's settings first.

    Raises:
        UserError: it is set up wrongly.
    """
    if environ.get(SETTINGS_VARIABLE):
        repository.lay_over(environ[SETTINGS_VARIABLE])
    if not repository.config["core"].get("remote"):
        return None, "there is no DVC remote: nothing can be restored"
    return RemoteStore(repository, patience=patience), ""
