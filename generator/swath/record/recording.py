"""What is to be recorded, and what became of it: shared by the two ways, a commit on a branch and an experiment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from swath.record.changes import Changes, changes_at
from swath.record.git import Clone, Signature, make_commit, tree_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.dvc_border.repository import Repository
    from swath.record.merge import Results
    from swath.record.push import Server

How = Literal["commit", "experiment", "nothing new", "already recorded"]


@dataclass(frozen=True, slots=True)
class Recording:
    """One pipeline's results on their way into Git.

    Attributes:
        pipeline: its id.
        message: of the commit.
        read_object: the file with the bytes of an MD5, for what is too large for a fragment.
    """

    repository: Repository
    clone: Clone
    server: Server
    results: Results
    pipeline: str
    signature: Signature
    message: str
    read_object: Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of it.

    Attributes:
        commit: the commit's id; None: none was needed.
        parent: what it stands on.
        name: of the branch, or of the experiment.
    """

    how: How
    commit: str | None
    parent: str
    name: str
    changes: Changes
    is_experiment: bool = False


def commit_on(recording: Recording, head: str) -> tuple[str | None, Changes]:
    """Make the commit of the results on a head; not pushed yet.

    Returns:
        Its id, None when it would change nothing; and what it changes.
    """
    clone = recording.clone
    changes = changes_at(recording.repository, head, recording.results, recording.read_object, files_below(clone, head))
    files = {clone.prefix + path: content for path, content in changes.files.items()}
    return make_commit(clone, head, files, recording.message, recording.signature), changes


def files_below(clone: Clone, head: str) -> Callable[[Iterable[str]], Iterable[str]]:
    """Asks for the files of a commit at or below some paths; paths are from the DVC root."""

    def ask(paths: Iterable[str]) -> Iterable[str]:
        found = tree_files(clone, head, [clone.prefix + path for path in paths])
        return [name.removeprefix(clone.prefix) for name in found]

    return ask
