"""Results -> a commit on a branch of the Git server, also when the branch moves meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import PassingFaultError, UserError
from swath.model.bot_commit import recorded_pipeline
from swath.record.git import commit_id, messages_since
from swath.record.push import fetch_commit, pauses, push
from swath.record.recording import How, Recorded, Recording, commit_on

if TYPE_CHECKING:
    from collections.abc import Callable


def record_commit(recording: Recording, branch: str, *, pause: Callable[[float], None] | None = None) -> Recorded:
    """Push the results as a commit on the branch's head, as it is at that moment.

    The branch moved: the results are merged again, stage by stage, on its new head. Never by force.

    Raises:
        UserError: the server refuses, or the branch is gone.
        PassingFaultError: it does not answer, or others were always quicker.
    """
    ref = f"refs/heads/{branch}"
    fault: PassingFaultError | None = None
    for _ in pauses(pause) if pause else pauses():
        try:
            head = fetch_commit(recording.clone, recording.server, ref)
            if head is None:
                raise UserError(f"the branch {branch} is gone from {recording.server.url}", hint=_GONE)
            commit, changes = commit_on(recording, head)
            if commit is None:
                how: How = "already recorded" if _has_recorded(recording, head) else "nothing new"
                return Recorded(how, None, head, branch, changes)
            if push(recording.clone, recording.server, commit, ref) == "done":
                return Recorded("commit", commit, head, branch, changes)
        except PassingFaultError as error:
            fault = error
    raise fault or PassingFaultError(f"the branch {branch} moved again and again while this job pushed; retry it later")


_GONE = "its results stay in the DVC remote; run the pipeline again on a branch that exists"


def _has_recorded(recording: Recording, head: str) -> bool:
    """Whether an earlier try of this job has made the commit already."""
    if commit_id(recording.clone, recording.results.commit) is None:
        return False
    messages = messages_since(recording.clone, recording.results.commit, head)
    return any(recorded_pipeline(message) == recording.pipeline for message in messages)
