"""Who uses a remote, or a cache outside of the checkout: a small file in it says which repository may clean it.

    swath/gc.json    {"version": 1, "repositories": ["<first commit>", ...]}

What other repositories keep in the same place is named by nobody here, and would go. Nothing in DVC's layout tells
whose an object is. So a person says once that the place is this repository's alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.dvc_border.remote_files import RemoteFiles

MARKER: Final = "swath/gc.json"
_VERSION: Final = 1


def owners(files: RemoteFiles) -> list[str] | None:
    """The first commits of the repositories that own a place; None: nobody has said so yet.

    Raises:
        UserError: the marker cannot be read.
    """
    data = files.read(MARKER)
    if data is None:
        return None
    try:
        document: Any = json.loads(data)
        found = document["repositories"]
        good = document["version"] == _VERSION and all(isinstance(each, str) for each in found)
    except (ValueError, KeyError, TypeError):
        good, found = False, []
    if not good:
        message = f"{files.place(MARKER)} is not a file that this version of Swath wrote"
        raise UserError(message, hint="remove it, and say again whose the place is: swath gc --claim")
    return list(found)


def check_owner(files: RemoteFiles, place: str, ids: Sequence[str], *, claims: bool) -> None:
    """See that a place belongs to this repository.

    Args:
        ids: the repository's first commits.
        claims: when nobody has said yet whose it is, write that it is this repository's alone.

    Raises:
        UserError: nobody has said so, or it belongs to another one.
    """
    found = owners(files)
    if found is None and claims:
        files.write(MARKER, json.dumps({"version": _VERSION, "repositories": list(ids)}).encode())
    elif found is None:
        message = f"{place}: nobody has said that this repository alone keeps its data there; what others keep would go"
        hint = "see with --dry-run what that is; if nothing of it is another repository's, say so once: --claim"
        raise UserError(message, hint=hint)
    elif not set(found) & set(ids):
        message = f"{place} belongs to another repository (first commit {', '.join(found) or 'unknown'})"
        hint = f"{files.place(MARKER)} says so: give each repository a remote, or a folder of a remote, of its own"
        raise UserError(message, hint=hint)
