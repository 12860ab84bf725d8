"""Before and after a stage: stale outputs away; hash outputs, put them into the cache, and make the lock entry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from swath.errors import UserError
from swath.files.removal import remove
from swath.model.content import content_from_lock_item
from swath.model.lock_entry import entry_hash, fills_run_cache, identity, items_by_path, run_cache_key

if TYPE_CHECKING:
    import threading

    from swath.dvc_border.workspace import Workspace
    from swath.model.lock_entry import LockEntry
    from swath.model.stage import JSONValue, Output, Stage


def save_outputs(workspace: Workspace, stage: Stage, inputs: LockEntry) -> LockEntry:
    """Save what a stage wrote.

    Args:
        inputs: its lock entry without outs, from before it ran.

    Returns:
        The whole lock entry; outs sorted by their path, as DVC does.

    Raises:
        UserError: an output was not written, or cannot be read.
        PassingFaultError: no space is left.
    """
    entry: LockEntry = dict(inputs)
    known = items_by_path(workspace.locked(stage) or {}, "outs")
    items = [_save(workspace, stage, out, known.get(out.text)) for out in sorted(stage.outs, key=lambda out: out.text)]
    if items:
        entry["outs"] = items
    if fills_run_cache(stage):
        _save_uncached(workspace, stage)
        workspace.runs.save(run_cache_key(stage, entry), entry_hash(entry), entry)
    return entry


def _save(workspace: Workspace, stage: Stage, out: Output, known: dict[str, JSONValue] | None) -> JSONValue:
    if "://" in out.path:
        item = workspace.out(stage, out, known)
        if item is None:
            raise UserError(f"the output {out.path} was not written", hint=_NOT_WRITTEN)
        return item
    path = workspace.absolute(out.path)
    workspace.hasher.forget(path)
    if not os.path.lexists(path):
        raise UserError(f"the output {out.path} was not written", hint=_NOT_WRITTEN)
    legacy = content_from_lock_item(known) if known else None
    if (
        legacy
        and legacy.legacy
        and legacy.same_as(workspace.hasher.legacy_content(path))
        and workspace.cache.has(legacy)
    ):
        return legacy.lock_item(out.text)  # DVC keeps DVC 2's hash as long as the content stays
    tree = workspace.hasher.tree(path) if os.path.isdir(path) else None
    content = tree.content if tree else workspace.hasher.content(path)
    if content is None:
        raise UserError(f"the output {out.path} is a link to nothing", hint=_NOT_WRITTEN)
    if out.cache:
        workspace.cache.put(path, content, tree)
    return content.lock_item(out.text)


_NOT_WRITTEN = "see the log of the stage: its command ended well without writing it"


def _save_uncached(workspace: Workspace, stage: Stage) -> None:
    """Metrics and plots outside the cache go there all the same, so that the run cache can restore them."""
    for out in stage.outs:
        if out.cache:
            continue
        path = workspace.absolute(out.path)
        tree = workspace.hasher.tree(path) if os.path.isdir(path) else None
        content = tree.content if tree else workspace.hasher.content(path)
        if content is not None:
            workspace.cache.store(path, content, tree)


def remove_outputs(workspace: Workspace, stage: Stage, stop: threading.Event | None = None) -> None:
    """Stale outputs go away; a `persist` output stays, as a file of its own that the command may change.

    Raises:
        InterruptedRunError: `stop` was set.
    """
    for out in stage.outs:
        if "://" in out.path:
            continue
        path = workspace.absolute(out.path)
        workspace.hasher.forget(path)
        if out.persist:
            workspace.cache.unprotect(path, stop)
        else:
            remove(path)


def restore_outputs(
    workspace: Workspace, stage: Stage, entry: LockEntry, inputs: LockEntry, stop: threading.Event | None = None
) -> LockEntry:
    """Bring the outputs of a cached entry into the workspace.

    Args:
        entry: where the outputs are named.
        inputs: the stage's lock entry now, without outs.
        stop: ends the copying when set.

    Returns:
        The lock entry of the restored stage.

    Raises:
        UserError: an object is missing after all.
        InterruptedRunError: `stop` was set.
    """
    items = items_by_path(entry, "outs")
    for out in stage.outs:
        item = items.get(out.text)
        content = content_from_lock_item(item) if item else None
        if item is None or content is None:
            raise UserError(f"the cached result of stage {stage.name} has no {out.path}")
        if identity(workspace.out(stage, out, item)) != identity(item):
            workspace.cache.take(content, workspace.absolute(out.path), copy=not out.cache, stop=stop)
    restored: LockEntry = dict(inputs)
    restored["outs"] = [items[out.text] for out in sorted(stage.outs, key=lambda out: out.text)]
    return restored
