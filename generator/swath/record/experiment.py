"""Results -> a DVC experiment: a commit on the baseline, under ``refs/exps/<2>/<38>/<name>`` of the Git server.

`dvc exp list`, `show`, `diff`, `pull` and `apply` take it for one of their own.

Source: DVC 3.67.1, `repo/experiments/refs.py: ExpRefInfo`, `utils.py: check_ref_format`, read 2026-11-22.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from swath.errors import PassingFaultError
from swath.record.push import find_refs, pauses, push
from swath.record.recording import Recorded, Recording, commit_on

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMESPACE: Final = "refs/exps"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST: Final = 60


def experiment_name(
    pipeline: str, *, merge_request: str | None, branch: str | None, failed: bool, subfolder: str = ""
) -> str:
    """The experiment's name: ``mr-12-4711``, ``main-4711``, ``main-4711-failed``; valid for Git and for DVC.

    Args:
        merge_request: its number in the project.
        branch: when there is no merge request; None: a tag.
        subfolder: the DVC repository's folder in Git's checkout, which comes first; empty: the top. `dvc exp show`
            lists the experiments of all repositories of one commit.
    """
    where = f"mr-{merge_request}" if merge_request else branch or "tag"
    if subfolder:
        where = f"{_NOT_IN_NAMES.sub('-', subfolder).strip('-')}-{where}"
    plain = _NOT_IN_NAMES.sub("-", where)[:_LONGEST].strip("-") or "branch"
    name = f"{plain}-{_NOT_IN_NAMES.sub('-', pipeline)}"
    return f"{name}-failed" if failed else name


def experiment_ref(baseline: str, name: str) -> str:
    """The ref of an experiment."""
    return f"{_NAMESPACE}/{baseline[:2]}/{baseline[2:]}/{name}"


def record_experiment(
    recording: Recording, baseline: str, name: str, *, pause: Callable[[float], None] | None = None
) -> Recorded:
    """Push the results as an experiment.

    A retried job makes the very same commit and finds it there. When a name is taken by other results (jobs were
    retried in between), the next free one is used: nothing is overwritten.

    Args:
        baseline: the commit that it stands on.

    Raises:
        UserError: the server refuses.
        PassingFaultError: it does not answer.
    """
    commit, changes = commit_on(recording, baseline)
    if commit is None:
        return Recorded("nothing new", None, baseline, name, changes, is_experiment=True)
    fault: PassingFaultError | None = None
    for _ in pauses(pause) if pause else pauses():
        try:
            refs = find_refs(recording.clone, recording.server, experiment_ref(baseline, "*"))
            there = next((ref for ref, value in refs.items() if value == commit), None)
            if there:
                return Recorded(
                    "already recorded", commit, baseline, there.rpartition("/")[2], changes, is_experiment=True
                )
            free = _free_name(baseline, name, refs)
            if push(recording.clone, recording.server, commit, experiment_ref(baseline, free)) == "done":
                return Recorded("experiment", commit, baseline, free, changes, is_experiment=True)
        except PassingFaultError as error:
            fault = error
    raise fault or PassingFaultError(f"the experiment {name} could not be pushed: others were quicker; retry this job")


def _free_name(baseline: str, name: str, refs: dict[str, str]) -> str:
    number, free = 1, name
    while experiment_ref(baseline, free) in refs:
        number += 1
        free = f"{name}-{number}"
    return free
