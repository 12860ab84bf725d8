"""The DVC remote of a repository, as jobs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_store import RemoteStore
from swath.errors import UserError
from swath.model.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.dvc_border.repository import Repository

WAIT_VARIABLE: Final = "SWATH_REMOTE_WAIT"
SETTINGS_VARIABLE: Final = "SWATH_DVC_CONFIG"  # a file variable: the remote's credentials
_USUAL: Final = Patience()


def patience_of(environ: Mapping[str, str], usual: Patience) -> Patience:
    """How long a remote that does not answer is waited for: what SWATH_REMOTE_WAIT says, else as usual.

    Raises:
        UserError: it says no duration.
    """
    said = environ.get(WAIT_VARIABLE)
    if not said:
        return usual
    try:
        return Patience.lasting(Duration.parse(said))
    except ValueError as error:
        raise UserError(f"{WAIT_VARIABLE}: {error}") from error


def store_of(
    repository: Repository, environ: Mapping[str, str], patience: Patience = _USUAL
) -> tuple[RemoteStore | None, str]:
    """The default remote, and what to say when there is none.

    The file that SWATH_DVC_CONFIG names is laid over the repository's settings first.

    Args:
        patience: with the remote, unless SWATH_REMOTE_WAIT says how long.

    Raises:
        UserError: it is set up wrongly.
    """
    if environ.get(SETTINGS_VARIABLE):
        repository.lay_over(environ[SETTINGS_VARIABLE])
    if not repository.config["core"].get("remote"):
        return None, "there is no DVC remote: nothing can be restored"
    return RemoteStore(repository, patience=patience_of(environ, patience)), ""
