"""The one place where DVC's exceptions become ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dvc.exceptions import DvcException

from swath.dvc_border.sound_listings import refused_listing
from swath.errors import PassingFaultError, Place, UserError
from swath.model.visible_text import without_colours

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def translated(place: Place | None = None, hint: str = "") -> Iterator[None]:
    """Raise what DVC raises inside as a `UserError`, a lock that is held as a `PassingFaultError`.

    Args:
        place: the file that DVC was reading, when there is one.
        hint: what to do next.
    """
    from dvc.lock import LockError

    try:
        yield
    except LockError as error:
        raise PassingFaultError(f"the DVC repository is locked by another process: {error}") from error
    except (DvcException, _listing_error()) as error:
        refused = refused_listing(error)
        if refused:
            raise refused from error
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise UserError(without_colours(f"{error}{cause}").strip(), place=place, hint=hint) from error


def _listing_error() -> type[Exception]:
    """What DVC raises when it cannot read a folder's listing; loaded only when something was raised."""
    from dvc_data.index import DataIndexDirError

    found: type[Exception] = DataIndexDirError
    return found
