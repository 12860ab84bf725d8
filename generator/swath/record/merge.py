"""Fragments -> results: what all jobs of a pipeline did, as one. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from swath.model.fragment import FileRecord, Fragment, StageRecord

_IGNORE_FILE: Final = ".gitignore"


@dataclass(frozen=True, slots=True)
class Results:
    """What a pipeline did.

    Attributes:
        commit: the commit that it ran.
        stages: by name, in the order of levels, jobs and work.
        files: what Git keeps of the outputs, by path from the root.
        ignores: for each `.gitignore` that jobs wrote, the lines in it.
    """

    commit: str
    stages: Mapping[str, StageRecord] = field(default_factory=dict)
    files: Mapping[str, FileRecord] = field(default_factory=dict)
    ignores: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[str, ...]:
        """Stages that ended without a result."""
        return tuple(name for name, record in self.stages.items() if record.lock is None)


def fault_of(fragment: Fragment, commit: str, plan: str | None) -> str:
    """Why a fragment is not to be recorded; empty: it is.

    Args:
        commit: the commit that was run.
        plan: the digest of the plan that it must belong to; None: any.
    """
    if fragment.commit != commit:
        return f"it is of commit {fragment.commit[:12]}, this pipeline ran {commit[:12]}"
    if plan is not None and fragment.plan != plan:
        return f"it is of the plan {fragment.plan}, this pipeline's is {plan}"
    wrong = [path for path, file in fragment.files.items() if file.text is not None and _md5(file.text) != file.md5]
    return f"the text of {wrong[0]} is not what its hash says" if wrong else ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def merge_fragments(commit: str, fragments: Iterable[Fragment]) -> Results:
    """All that a pipeline did.

    A stage that several fragments name counts as in the last of them, but a result is never replaced by a failure.

    Args:
        fragments: by level, then by job.
    """
    stages: dict[str, StageRecord] = {}
    files: dict[str, FileRecord] = {}
    ignores: dict[str, frozenset[str]] = {}
    for fragment in fragments:
        for name, record in fragment.stages.items():
            if record.lock is not None or name not in stages:
                stages[name] = record
        for path, file in fragment.files.items():
            if path.rpartition("/")[2] == _IGNORE_FILE:
                ignores[path] = ignores.get(path, frozenset()) | frozenset((file.text or "").splitlines())
            else:
                files[path] = file
    return Results(commit, stages, files, ignores)
