"""Whose a remote, or a cache outside of the checkout, is: only its repository may clean it.

What other repositories keep in the same place is named by nobody here, and would go. Nothing in DVC's layout tells
whose an object is. So a person says once that the place is this repository's alone (`dvc_border/cleaning.py` keeps it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.dvc_border.cleaning import MARKER, Cleaning, read_cleaning, write_cleaning
from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.dvc_border.remote_files import RemoteFiles


def check_owner(files: RemoteFiles, place: str, ids: Sequence[str], *, claims: bool) -> None:
    """See that a place belongs to this repository.

    Args:
        ids: the repository's first commits.
        claims: when nobody has said yet whose it is, write that it is this repository's alone.

    Raises:
        UserError: nobody has said so, or it belongs to another one.
    """
    try:
        found = read_cleaning(files)
    except ValueError as error:
        message = f"{files.place(MARKER)} is not a file that this version of Swath wrote"
        hint = "remove it, and say again whose the place is: swath gc --claim"
        raise UserError(message, hint=hint) from error
    if found is None and claims:
        write_cleaning(files, Cleaning(tuple(ids)))
    elif found is None:
        message = f"{place}: nobody has said that this repository alone keeps its data there; what others keep would go"
        hint = "see with --dry-run what that is; if nothing of it is another repository's, say so once: --claim"
        raise UserError(message, hint=hint)
    elif not set(found.repositories) & set(ids):
        owner = ", ".join(found.repositories) or "unknown"
        message = f"{place} belongs to another repository (first commit {owner})"
        hint = f"{files.place(MARKER)} says so: give each repository a remote, or a folder of a remote, of its own"
        raise UserError(message, hint=hint)
