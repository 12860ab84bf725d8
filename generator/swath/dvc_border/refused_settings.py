"""DVC's settings that change what DVC does and that Swath does not follow: an error, not silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import UserError

if TYPE_CHECKING:
    from swath.dvc_border.repository import Repository


def refuse_questions(repository: Repository) -> None:
    """See that DVC is not set up to ask before each stage.

    Raises:
        UserError: it is: stages run side by side here, and nobody is asked.
    """
    if repository.config["core"].get("interactive", False):
        message = "core.interactive is set: `dvc repro` would ask before each stage, and Swath does not ask"
        raise UserError(message, hint="unset it (dvc config --unset core.interactive), or run dvc repro")


def refuse_old_cache(repository: Repository) -> None:
    """See that the cache is not that of a remote.

    Raises:
        UserError: it is (`cache.local`, of DVC before 1.0).
    """
    name = repository.config["cache"].get("local")
    if name:
        message = (
            f"cache.local names the remote {name!r} as the cache: that setting of old versions of DVC is not followed"
        )
        raise UserError(message, hint="name the folder itself: dvc config cache.dir FOLDER")


def refuse_hydra(repository: Repository) -> None:
    """See that values are not composed by Hydra.

    Raises:
        UserError: they are: `dvc exp run -S` would write what the files of Hydra say, and not only the value.
    """
    if repository.config.get("hydra", {}).get("enabled", False):
        message = "hydra.enabled is set: -S would have Hydra compose the parameters, which Swath does not do"
        raise UserError(message, hint="edit the parameters and run without -S, or use dvc exp run")
