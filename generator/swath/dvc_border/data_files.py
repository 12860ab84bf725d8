"""`.dvc` files: data that `dvc add` or `dvc import` tracks, outside any stage."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from swath.dvc_border.sound_listings import RefusedListingError
from swath.dvc_border.translate import translated
from swath.errors import PassingFaultError, Place, UserError
from swath.model.content import content_from_lock_item
from swath.schema.folder_listing import is_path_inside, is_private
from swath.schema.yaml12 import Document

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from swath.dvc_border.repository import Repository
    from swath.dvc_border.workspace import Workspace
    from swath.model.content import Content


@dataclass(frozen=True, slots=True)
class ImportSource:
    """Where `dvc import` took data from, in the words of the `.dvc` file.

    Attributes:
        path: in the other repository.
        rev: its commit.
        config: DVC settings over those of the other repository, or a file of them.
        remote: name or settings of the other repository's remote; empty: its default one.
    """

    url: str
    path: str
    rev: str | None
    config: dict[str, Any] | str = field(default_factory=dict)
    remote: dict[str, Any] | str = ""


@dataclass(frozen=True, slots=True)
class DataOutput:
    """Data that a `.dvc` file tracks.

    Attributes:
        file: the `.dvc` file, from the root.
        path: the data, from the root.
        content: what it should hold; None: not known (an import that was not fetched yet).
        imported: it comes from elsewhere and is changed only by `dvc update`.
        cache: whether the cache has it.
        source: the other repository that it lies in (`dvc import`): `dvc push` does not send it; None: ours.
        remote: the remote of ours that it names; None: the default one.
    """

    file: str
    path: str
    content: Content | None
    imported: bool = False
    cache: bool = True
    source: ImportSource | None = None
    remote: str | None = None


def tracked_paths(outputs: Iterable[DataOutput]) -> dict[str, str]:
    """Path to `.dvc` file."""
    return {out.path: out.file for out in outputs}


def read_data_file(repository: Repository, file: str) -> Iterable[DataOutput]:
    """The data that one `.dvc` file tracks.

    Raises:
        UserError: it is not of DVC's form.
    """
    try:
        document = Document((repository.root / file).read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", place=Place(file)) from error
    value = document.value
    outs = value.get("outs") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(outs, list):
        raise UserError(
            "a .dvc file has a list `outs`", place=Place(file), hint="restore it from Git, or make it again: dvc add"
        )
    folder = posixpath.join(posixpath.dirname(file), str(value.get("wdir") or "."))
    deps = value.get("deps")
    source = _source(deps)
    for position, item in enumerate(outs):
        path = item.get("path") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(path, str):
            raise UserError("an entry of `outs` has a path", place=document.place("outs", position))
        place = posixpath.normpath(posixpath.join(folder, path))
        if is_private(place):  # DVC refuses it too; a hook would run with the user's next Git command
            message = f"{place} lies in a folder that is not the user's"
            raise UserError(message, place=document.place("outs", position), hint="correct `path` or `wdir`")
        yield DataOutput(
            file,
            place,
            content_from_lock_item(item),
            imported=bool(deps) or bool(value.get("frozen")),
            cache=bool(item.get("cache", True)),
            source=source,
            remote=str(item["remote"]) if item.get("remote") else None,
        )


def _source(deps: object) -> ImportSource | None:
    dep = deps[0] if isinstance(deps, list) and deps else None
    repo = dep.get("repo") if isinstance(dep, dict) else None
    if not isinstance(dep, dict) or not isinstance(repo, dict):
        return None
    rev = repo.get("rev_lock") or repo.get("rev")
    return ImportSource(str(repo.get("url")), str(dep.get("path")), rev, repo.get("config", {}), repo.get("remote", ""))


def bring_up_to_date(
    workspace: Workspace, outputs: Iterable[DataOutput], stop: threading.Event | None = None
) -> list[str]:
    """Before stages run: fetch tracked data that is missing, save data that was edited, as `dvc repro` does.

    Args:
        stop: ends a copy out of the cache when set.

    Returns:
        The `.dvc` files that were saved again.

    Raises:
        UserError: data is missing and neither cache nor remote has it, or what they have names files elsewhere.
        PassingFaultError: the remote does not answer.
        InterruptedRunError: `stop` was set.
    """
    saved: dict[str, None] = {}
    for out in outputs:
        content = out.content
        current = workspace.tracked(out.path, legacy=bool(content and content.legacy))
        if content is not None and content.same_as(current):
            if out.cache and not out.imported and not workspace.has_object(content):
                saved[out.file] = None
        elif current is None:
            _fetch(workspace, out, stop)
        elif not out.imported:
            saved[out.file] = None
    for file in saved:
        with translated(Place(file), hint="save it by hand: dvc commit"):
            workspace.repository.full.reproduce(targets=[str(workspace.repository.root / file)], single_item=True)
    return list(saved)


def _fetch(workspace: Workspace, out: DataOutput, stop: threading.Event | None) -> None:
    content = out.content
    if not is_path_inside(out.path):
        message = f"{out.path} is missing, and lies outside the repository: nothing is written there"
        raise UserError(message, place=Place(out.file), hint="correct `path` or `wdir`, or bring the data by hand")
    if content is not None and workspace.has_object(content):
        workspace.cache.take(content, workspace.absolute(out.path), stop=stop)
        return
    if content is not None and content.is_folder:
        workspace.cache.files(content)  # a damaged one is named here; DVC would only say that something is missing
    repository = workspace.repository
    if not repository.config.get("remote") and not out.imported:
        hint = "add a remote that has it (dvc remote add), or bring the data back by hand"
        raise UserError(f"{out.path} is missing, and the cache does not have it", place=Place(out.file), hint=hint)
    try:
        with translated(Place(out.file)):
            repository.full.pull(targets=[str(repository.root / out.file)])
    except RefusedListingError:
        raise
    except UserError as error:
        raise PassingFaultError(f"{out.path} cannot be fetched: {error}") from error


def contents_by_path(outputs: Iterable[DataOutput]) -> Mapping[str, Content | None]:
    """Path to content, for decisions without data."""
    return {out.path: out.content for out in outputs}
