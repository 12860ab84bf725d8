"""Whose a remote, or a cache outside of the checkout, is: only its repository may clean it.

What other repositories keep in the same place is named by nobody here, and would go. Nothing in DVC's layout tells
whose an object is. So a person says once that the place is this repository's alone (`dvc_border/cleaning.py` keeps it).

A repository is known by its first commits. A fork has the same, and does not know what its original has named since. So
who cleans must read the Git servers that the clone had in which the place was claimed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from swath.dvc_border.cleaning import MARKER, Cleaning, read_cleaning, write_cleaning
from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.dvc_border.remote_files import RemoteFiles


@dataclass(frozen=True, slots=True)
class Owner:
    """A repository.

    Attributes:
        ids: its first commits.
        servers: addresses of the clone's Git servers, as `server_name` writes them.
    """

    ids: Sequence[str]
    servers: Sequence[str]

    def reads(self, servers: Sequence[str]) -> bool:
        """Whether all that those servers have is read here; a repository without a server has no other clones."""
        return set(servers) <= set(self.servers) if servers else not self.servers


def check_owner(files: RemoteFiles, place: str, owner: Owner, *, claims: bool) -> None:
    """See that a place belongs to this repository.

    Args:
        owner: this repository, and this clone of it.
        claims: when nobody has said yet whose it is, or of which Git servers, write that it is this repository's alone.

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
        write_cleaning(files, Cleaning(tuple(owner.ids), servers=(tuple(owner.servers),)))
    elif found is None:
        message = f"{place}: nobody has said that this repository alone keeps its data there; what others keep would go"
        hint = "see with --dry-run what that is; if nothing of it is another repository's, say so once: --claim"
        raise UserError(message, hint=hint)
    elif not set(found.repositories) & set(owner.ids):
        others = ", ".join(found.repositories) or "unknown"
        message = f"{place} belongs to another repository (first commit {others})"
        hint = f"{files.place(MARKER)} says so: give each repository a remote, or a folder of a remote, of its own"
        raise UserError(message, hint=hint)
    elif not any(map(owner.reads, found.servers)):
        if not claims:
            raise _elsewhere(place, found, owner)
        write_cleaning(files, replace(found, servers=(*found.servers, tuple(owner.servers))))


def _elsewhere(place: str, found: Cleaning, owner: Owner) -> UserError:
    theirs = " or ".join(" and ".join(each) or "a clone without a Git server" for each in found.servers)
    ours = ", ".join(owner.servers) or "none"
    message = (
        f"{place} belongs to the repository of {theirs or 'an unknown clone'}; the Git servers of this clone: {ours}"
    )
    hint = (
        "a fork does not know what the original names: clean it in a clone of that, or add it (git remote add); "
        "if it is the same repository by another address, say so: --claim"
    )
    return UserError(message, hint=hint)
