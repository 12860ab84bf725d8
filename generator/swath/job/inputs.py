"""Bring a stage's inputs into the checkout: exactly what is not there, from the cache, else from the remote.

parts of each dep ─▶ there already? ─▶ in the cache? ─▶ pull ─▶ check out
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from swath.dvc_border.remote_store import MissingObjectsError
from swath.errors import UserError
from swath.model.content import Content, content_from_lock_item
from swath.model.lock_entry import items_by_path

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from swath.dvc_border.workspace import Workspace
    from swath.job.facts import JobFacts, Store
    from swath.model.stage import Stage


@dataclass(frozen=True, slots=True)
class Input:
    """Data to bring.

    Attributes:
        path: from the root.
        store: the name of the store that has it; None: the default remote.
        is_git: Git keeps it, so it is never a link into the cache.
    """

    path: str
    content: Content
    store: str | None = None
    is_git: bool = False


def needed_inputs(stage: Stage, facts: JobFacts, disk: Workspace) -> list[Input]:
    """What a stage reads that is not in the checkout, by path.

    Args:
        disk: the facts of the checkout.

    Raises:
        UserError: something was never made.
    """
    found: dict[str, Input] = {}
    for path in [*(dep.path for dep in stage.deps), *(read.path for read in stage.params)]:
        if "://" in path:
            continue
        for place, content in facts.parts(path).items():
            if content is None:
                message = f"{place}, which the stage {stage.name} reads, was never made"
                raise UserError(message, place=stage.place, hint="start a new pipeline, or fetch it: dvc pull")
            where, inner = _narrowed(path, place, content, facts)
            if not inner.same_as(disk.tracked(where, legacy=inner.legacy)):
                out = facts.output_at(place)
                found[where] = Input(where, inner, facts.store_at(place), is_git=bool(out and not out.cache))
    return [found[path] for path in sorted(found)]


def previous_outputs(stage: Stage, facts: JobFacts, disk: Workspace) -> list[Input]:
    """What the stage made before and goes on from (DVC's ``persist``), as far as it is not in the checkout."""
    items = items_by_path(facts.locked(stage) or {}, "outs")
    found = []
    for out in stage.outs:
        item = items.get(out.text) if out.persist else None
        content = content_from_lock_item(item) if item else None
        if content and not content.same_as(disk.tracked(out.path, legacy=content.legacy)):
            found.append(Input(out.path, content, out.remote, is_git=not out.cache))
    return found


def _narrowed(path: str, place: str, content: Content, facts: JobFacts) -> tuple[str, Content]:
    """Of a folder around a file that is read, only that file."""
    if not path.startswith(f"{place}/"):
        return place, content
    inside = path[len(place) + 1 :]
    files = facts.listing(content)
    exact = next((file for file in files if file.relpath == inside), None)
    return (path, Content(exact.value, legacy=content.legacy)) if exact else (place, content)


def missing_bytes(inputs: list[Input], facts: JobFacts) -> int:
    """How much has to come, as far as it is known: sizes stand in the lock."""
    return sum(each.content.size or 0 for each in inputs if not facts.cache.has(each.content))


def bring_inputs(
    inputs: list[Input],
    stores: Mapping[str | None, Store],
    disk: Workspace,
    stop: threading.Event,
) -> int:
    """Pull what the cache lacks, and check out.

    Returns:
        Bytes that came.

    Raises:
        UserError: the remote lacks something.
        PassingFaultError: the remote does not answer, or no space is left.
        InterruptedRunError: `stop` was set.
    """
    moved = 0
    for name in dict.fromkeys(each.store for each in inputs):
        wanted = [each.content for each in inputs if each.store == name]
        lacking = [content for content in wanted if not disk.cache.has(content)]
        try:
            moved += stores[name].pull(lacking, stop) if lacking else 0
        except MissingObjectsError as error:
            paths = [each.path for each in inputs if _is_of(each.content, error.values, disk)]
            raise UserError(f"{', '.join(paths)}: {error.message}", hint=error.hint) from error
    for each in inputs:
        disk.cache.take(each.content, disk.absolute(each.path), copy=each.is_git, stop=stop)
    return moved


def _is_of(content: Content, values: frozenset[str], disk: Workspace) -> bool:
    """Whether one of these objects is the content's, or one of its files."""
    files = disk.cache.sound_files(content) or () if content.is_folder else ()
    return content.value in values or any(file.value in values for file in files)
