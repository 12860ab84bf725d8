"""dvc.lock files of a repository: read all, write what changed, atomically, under DVC's own lock."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from swath.errors import PassingFaultError, UserError
from swath.schema.atomic_file import write_atomically
from swath.schema.lock_text import read_lock, write_lock

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from swath.dvc_border.repository import Repository
    from swath.model.lock_entry import LockEntry
    from swath.model.stage import Stage

_WAIT_S: Final = 30.0
_STEP_S: Final = 0.05


def lock_file(workflow_file: str) -> str:
    """``pipelines/use/dvc.lock`` for ``pipelines/use/dvc.yaml``."""
    return os.path.splitext(workflow_file)[0] + ".lock"


def read_entries(repository: Repository, workflow_files: Iterable[str]) -> dict[str, dict[str, LockEntry]]:
    """The lock entries of each dvc.yaml, by stage key; files without a lock have none.

    Raises:
        UserError: a lock is broken.
    """
    return {file: _read(repository, file) for file in workflow_files}


def _read(repository: Repository, workflow_file: str) -> dict[str, LockEntry]:
    name = lock_file(workflow_file)
    return read_lock(_text(repository, name), name)


def _text(repository: Repository, name: str) -> str:
    try:
        return (repository.root / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{name}: cannot be read: {error}", hint="restore it from Git: git checkout -- " + name
        ) from error


def lock_times_ns(repository: Repository, workflow_files: Iterable[str]) -> dict[str, int]:
    """When the lock of each dvc.yaml was written, in nanoseconds; files without a lock are left out."""
    paths = {file: repository.root / lock_file(file) for file in workflow_files}
    return {file: path.stat().st_mtime_ns for file, path in paths.items() if path.exists()}


def entries_of_stages(stages: Iterable[Stage], locks: Mapping[str, Mapping[str, LockEntry]]) -> dict[str, LockEntry]:
    """Lock entries by the stages' names."""
    found = ((stage.name, locks.get(stage.file, {}).get(stage.key)) for stage in stages)
    return {name: entry for name, entry in found if entry is not None}


def update_locks(
    repository: Repository,
    changes: Mapping[str, Mapping[str, LockEntry]],
    order: Mapping[str, Iterable[str]],
    movable: Mapping[str, Container[str]] | None = None,
) -> None:
    """Write entries into the locks: existing ones keep their place, new ones follow in the order of dvc.yaml.

    Args:
        changes: for each dvc.yaml, entries by stage key.
        order: for each dvc.yaml, all its stages' keys in order.
        movable: for each dvc.yaml, keys that count as new though they may be there: a run writes more than once, and
            when it does must not show in the order.

    Raises:
        PassingFaultError: another process holds DVC's lock, or no space is left.
        UserError: a lock cannot be written there.
    """
    if not any(changes.values()):
        return
    with repository_lock(repository):
        for file, entries in changes.items():
            if not entries:
                continue
            name = lock_file(file)
            fresh = (movable or {}).get(file, ())
            before = _text(repository, name)
            text = merged_lock(before, name, entries, order.get(file, ()), fresh)
            write_atomically(repository.root / name, text, name=name, note="finished stages are kept in the journal")
            if text != before:
                repository.written.add(name)


def merged_lock(
    text: str, name: str, entries: Mapping[str, LockEntry], order: Iterable[str], movable: Container[str] = ()
) -> str:
    """The text of a lock after entries were written into it; the same for `swath run` and for what CI records.

    Args:
        text: of the lock as it is; empty: there is none.
        name: the lock's path, for messages.
        entries: by stage key.
        order: all stages' keys in the order of dvc.yaml: new entries follow the existing ones so.
        movable: keys of `order` that count as new though they may be there.

    Raises:
        UserError: the lock is broken.
    """
    lock = read_lock(text, name)
    lock.update({key: entries[key] for key in lock if key in entries})
    keys = dict.fromkeys([*order, *entries])
    new = {key: lock.pop(key) for key in keys if key in movable and key in lock}
    new.update({key: entries[key] for key in keys if key in entries and key not in lock})
    lock.update({key: new[key] for key in keys if key in new})
    datasets = _datasets(text)
    written = write_lock(lock)
    return written.replace("schema: '2.0'\n", "schema: '2.0'\n" + datasets, 1) if datasets else written


def _datasets(text: str) -> str:
    """The text of a lock's `datasets` section, which only DVC writes; kept as it is."""
    start = text.find("\ndatasets:\n") + 1
    if not start:
        return ""
    lines = text[start:].splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines[1:], 1) if line[0] not in " -\n"), len(lines))
    return "".join(lines[:end])


@contextmanager
def repository_lock(repository: Repository, wait_s: float = _WAIT_S) -> Iterator[None]:
    """Hold DVC's lock on the repository, as its own commands do.

    Raises:
        PassingFaultError: another process holds it for longer than `wait_s`.
    """
    from dvc.lock import Lock, LockError, make_lock

    folder = repository.dvc_dir / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    hardlink = bool(repository.config["core"].get("hardlink_lock", False))
    lock: Lock = make_lock(str(folder / "lock"), tmp_dir=str(folder), hardlink_lock=hardlink)
    until = time.monotonic() + wait_s
    while True:
        try:
            lock._do_lock() if isinstance(lock, Lock) else lock.lock()  # noqa: SLF001 - lock() itself sleeps 0.5 s a try
            break
        except LockError as error:
            if time.monotonic() > until:
                message = "the DVC repository is locked by another process: wait for it, then run again"
                raise PassingFaultError(message) from error
            time.sleep(_STEP_S)
    try:
        yield
    finally:
        lock.unlock()
