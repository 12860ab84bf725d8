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


def unprotected(environ: Mapping[str, str]) -> str:
    """The end of a sentence about a variable that is not set; empty where GitLab holds none back."""
    if environ.get("CI_COMMIT_REF_PROTECTED") != "false":
        return ""
    return "; if it is, as a protected one: this branch is not protected, and gets none of those"


def lay_settings_over(repository: Repository, environ: Mapping[str, str]) -> None:
    """Lay the file that SWATH_DVC_CONFIG names over the repository's settings.

    Raises:
        UserError: it cannot be read, or the variable is no path.
    """
    settings = environ.get(SETTINGS_VARIABLE)
    if settings:
        if "\n" in settings or settings.lstrip().startswith("["):  # nothing of it is said: it holds keys
            hint = "give the variable the type File (Settings > CI/CD > Variables): then it is the path of one"
            raise UserError(f"{SETTINGS_VARIABLE} is the text of a file, not its path", hint=hint)
        repository.lay_over(settings)
    elif environ.get("GITLAB_CI"):
        hint = f"{SETTINGS_VARIABLE} is not set here: a variable of the type File (Settings > CI/CD > Variables)"
        repository.when_refused = hint + unprotected(environ)


def store_of(
    repository: Repository, environ: Mapping[str, str], patience: Patience = _USUAL
) -> tuple[RemoteStore | None, str]:
    """The default remote, and what to say when there is none; with the settings that SWATH_DVC_CONFIG names.

    Args:
        patience: with the remote, unless SWATH_REMOTE_WAIT says how long.

    Raises:
        UserError: it is set up wrongly.
    """
    lay_settings_over(repository, environ)
    if not repository.config["core"].get("remote"):
        return None, "there is no DVC remote: nothing can be restored"
    return RemoteStore(repository, patience=patience_of(environ, patience)), ""
