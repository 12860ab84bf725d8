"""Figures of a pipeline's stages as a Git note on the commit that records them: ``git log --notes=swath``.

A note changes neither the commit nor the tree, and a fresh clone can fetch it: ``git fetch origin
refs/notes/swath:refs/notes/swath``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from swath.record.git import make_commit, tree_files
from swath.record.push import fetch_commit, pauses, push

if TYPE_CHECKING:
    from collections.abc import Callable

    from swath.record.merge import Results
    from swath.record.recording import Recording

NOTES_REF: Final = "refs/notes/swath"


def run_data(pipeline: str, results: Results) -> str:
    """The note's text, a JSON document; stages by name."""
    stages = {name: record.figures for name, record in sorted(results.stages.items())}
    document = {"version": 1, "pipeline": pipeline, "commit": results.commit, "stages": stages}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def note_run_data(recording: Recording, commit: str, *, pause: Callable[[float], None] | None = None) -> bool:
    """Push the figures as a note on a commit, unless it has one.

    Returns:
        Whether it is there now; False: others were always quicker.

    Raises:
        UserError: the server refuses notes.
        PassingFaultError: it does not answer.
    """
    clone, server = recording.clone, recording.server
    text = run_data(recording.pipeline, recording.results).encode()
    for _ in pauses(pause) if pause else pauses():
        notes = fetch_commit(clone, server, NOTES_REF)
        if notes is not None and any(
            path.replace("/", "") == commit for path in tree_files(clone, notes, [commit, *_fan_out(commit)])
        ):
            return True
        made = make_commit(clone, notes, {commit: text}, "Notes of pipelines\n", recording.signature)
        if made is not None and push(clone, server, made, NOTES_REF) == "done":
            return True
    return False


def _fan_out(commit: str) -> tuple[str, str]:
    """Where Git puts a note when there are many."""
    return f"{commit[:2]}/{commit[2:]}", f"{commit[:2]}/{commit[2:4]}/{commit[4:]}"
