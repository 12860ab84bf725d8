"""DVC's own readers of listings refuse what ours refuse: names that lead out of the folder, or mean two files.

DVC joins the names of a listing to the folder's path as they are, so a pull or a checkout of a hostile one writes
anywhere. Some things are left to DVC (imports, remotes of clouds), and all of its readers go through one class method,
which is therefore wrapped once for the process: sound listings are read as before.

Source: dvc-data 3.18 `hashfile/tree.py: Tree.from_list, Tree.load`, DVC 3.67.1 `output.py`, read 2026-11-28.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from swath.errors import UserError
from swath.schema.folder_listing import DamagedListingError, checked_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class RefusedListingError(UserError):
    """DVC was about to use a listing that could write outside its folder."""


@cache
def guard_listings() -> None:
    """From now on DVC reads sound listings only; further calls do nothing."""
    from dvc_data.hashfile.tree import Tree

    from_list, load = Tree.from_list.__func__, Tree.load.__func__
    Tree.from_list = classmethod(_checked(from_list))
    Tree.load = classmethod(_naming(load))


def refused_listing(error: BaseException) -> RefusedListingError | None:
    """The refusal behind an exception that DVC made of it; None: it is about something else."""
    return next((each for each in _chain(error) if isinstance(each, RefusedListingError)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    for _ in range(100):
        if each is None:
            return
        yield each
        each = each.__cause__ or each.__context__


def _checked(from_list: Callable[..., Any]) -> Callable[..., Any]:
    def checked(cls: type, lst: Any, hash_name: str | None = None) -> Any:
        try:
            checked_files(list(lst), cloud=True)
        except DamagedListingError as error:
            message = f"a listing of files cannot be used: {error}"
            raise RefusedListingError(message, hint="correct the `files` of the .dvc file or dvc.lock") from error
        return from_list(cls, lst, hash_name=hash_name)

    return checked


def _naming(load: Callable[..., Any]) -> Callable[..., Any]:
    def naming(cls: type, odb: Any, hash_info: Any, hash_name: str | None = None) -> Any:
        try:
            return load(cls, odb, hash_info, hash_name=hash_name)
        except RefusedListingError as error:
            path = odb.oid_to_path(hash_info.value)
            message = f"the listing {hash_info.value} cannot be used: {error.__cause__}"
            raise RefusedListingError(message, hint=f"remove this one object: {path}") from error.__cause__

    return naming
