"""What the levels before left in the remote: files into the checkout, lock entries over the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import UserError
from swath.job.fragments import put_files
from swath.job.origin import read_origin
from swath.model.fragment import fragments_folder
from swath.record.merge import fault_of, merge_fragments
from swath.schema.fragment_text import read_fragment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from swath.dvc_border.remote_store import RemoteStore
    from swath.dvc_border.repository import Repository
    from swath.model.fragment import Fragment
    from swath.model.lock_entry import LockEntry


def files_and_entries(
    store: RemoteStore | None, environ: Mapping[str, str], commit: str, level: int, subfolder: str = ""
) -> Callable[[Repository], Mapping[str, LockEntry]]:
    """What puts the results of levels below `level` into a checkout, and returns their lock entries.

    Args:
        subfolder: the DVC repository's folder in Git's checkout; empty: the top.

    Raises:
        UserError: there is no remote or no pipeline, or a fragment is damaged or of another commit.
        PassingFaultError: the remote does not answer.
    """
    if store is None:
        raise UserError(f"level {level} needs the DVC remote of the pipeline", hint="dvc remote add -d NAME URL")
    pipeline = read_origin(environ).pipeline
    folders = [fragments_folder(pipeline, below, subfolder) for below in range(1, level)]
    fragments = [each for folder in folders for each in _fragments(store, folder, commit)]
    if not fragments:
        message = f"the levels before level {level} of the pipeline {pipeline} left nothing in the DVC remote"
        raise UserError(message, hint="start a new pipeline")
    results = merge_fragments(commit, fragments)

    def prepare(repository: Repository) -> Mapping[str, LockEntry]:
        put_files(repository, store, results.files)
        return {name: record.lock for name, record in results.stages.items() if record.lock is not None}

    return prepare


def _fragments(store: RemoteStore, folder: str, commit: str) -> list[Fragment]:
    found: list[Fragment] = []
    for path in store.list_files(folder):
        fragment = read_fragment(store.read_text(path) or "", path)
        fault = fault_of(fragment, commit, None)
        if fault:
            raise UserError(f"{path}: {fault}", hint="start a new pipeline")
        found.append(fragment)
    return found
