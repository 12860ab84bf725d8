"""What the levels before left in the remote: files into a checkout, lock entries over its locks.

swath/<pipeline>/<level>/<job>.json ... ─▶ Results ─▶ files of the commit as the next level sees them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher
from swath.errors import UserError
from swath.job.origin import read_origin
from swath.model.content import Content
from swath.model.fragment import fragments_folder
from swath.record.merge import Results, fault_of, merge_fragments
from swath.schema.fragment_text import read_fragment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from swath.dvc_border.remote_store import RemoteStore
    from swath.dvc_border.repository import Repository
    from swath.model.fragment import Fragment
    from swath.model.lock_entry import LockEntry


def files_and_entries(
    store: RemoteStore | None, environ: Mapping[str, str], commit: str, level: int
) -> Callable[[Repository], Mapping[str, LockEntry]]:
    """What puts the results of levels below `level` into a checkout, and returns their lock entries by stage name.

    Raises:
        UserError: there is no remote, or a result is broken or another commit's.
        PassingFaultError: the remote does not answer.
    """
    if store is None:
        hint = "set a default remote, and let jobs reach it (SWATH_DVC_CONFIG)"
        raise UserError(
            f"level {level} goes on from what level {level - 1} left in the DVC remote: there is none", hint=hint
        )
    results = earlier_results(store, read_origin(environ).pipeline, commit, level)
    return lambda repository: lay_over(repository, results, store)


def earlier_results(store: RemoteStore, pipeline: str, commit: str, level: int) -> Results:
    """What all jobs of the levels below `level` did.

    Raises:
        UserError: a fragment is broken, or another commit's.
        PassingFaultError: the remote does not answer.
    """
    return merge_fragments(
        commit, (each for below in range(1, level) for each in _fragments(store, pipeline, commit, below))
    )


def _fragments(store: RemoteStore, pipeline: str, commit: str, level: int) -> list[Fragment]:
    found = []
    for path in sorted(store.list_files(fragments_folder(pipeline, level))):
        if path.count("/") != fragments_folder(pipeline, level).count("/") + 1 or not path.endswith(".json"):
            continue
        fragment = read_fragment(store.read_text(path) or "", path)
        fault = fault_of(fragment, commit, None)
        if fault:
            raise UserError(f"{path} cannot be taken: {fault}", hint="start a new pipeline")
        found.append(fragment)
    return found


def lay_over(repository: Repository, results: Results, store: RemoteStore) -> dict[str, LockEntry]:
    """Write the files that Git keeps of what was done; returns the lock entries by stage name."""
    for path, record in results.files.items():
        target = repository.root / path
        if repository.root not in target.resolve().parents:
            raise UserError(f"the result {path} lies outside the repository", hint="start a new pipeline")
        target.parent.mkdir(parents=True, exist_ok=True)
        if record.text is not None:
            target.write_bytes(record.text.encode())
        else:
            content = Content(record.md5)
            store.pull([content])
            Cache(repository, Hasher(repository)).take(content, str(target), copy=True)
    return {name: record.lock for name, record in results.stages.items() if record.lock is not None}
