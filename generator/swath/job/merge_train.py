"""Merge trains train nothing: what is long must have its results before the merge request gets on the train.

A train tests the target branch as it will be, and all merge requests behind wait for it. A stage that is long there is
restored from what the merge request's own pipeline has made (a merged-results pipeline runs the same merge), or the
train's pipeline fails at once and says why. Short stages run, and nothing is recorded in Git: the pipeline of the
target branch restores all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from swath.model.graph import StageGraph
    from swath.model.plan import DecisionKind

_MOST_NAMES: Final = 5


def in_merge_train(environ: Mapping[str, str]) -> bool:
    """Whether this is a pipeline of a merge train.

    Source: https://docs.gitlab.com/ci/variables/predefined_variables/; a child pipeline has the variable too, since it
    has its parent's ref and merge request (GitLab's `Ci::Pipeline#merge_request_event_type`), read 2026-11-28.
    """
    return environ.get("CI_MERGE_REQUEST_EVENT_TYPE") == "merge_train"


def check_merge_train(graph: StageGraph, kinds: Mapping[str, DecisionKind], long: Collection[str]) -> None:
    """Refuse a train in which long stages would certainly run.

    One behind a stage that runs is decided in its job, when its inputs are known.

    Args:
        kinds: what was decided about all stages.
        long: those among them that a newer pipeline must not stop.

    Raises:
        UserError: names them.
    """
    running = {name for name, kind in kinds.items() if kind == "run"}
    certain = [name for name in kinds if name in running and name in long and running.isdisjoint(graph.upstream[name])]
    if certain:
        raise training_refused(certain)


def training_refused(names: Collection[str]) -> UserError:
    """The error about long stages that have no results yet."""
    shown = ", ".join(list(names)[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )
    hint = (
        "bring the branch up to date with the target branch, let the merge request's own pipeline run, and then add it "
        "to the train again: its results are restored here"
    )
    return UserError(f"a merge train trains nothing, and this merge has no results yet of: {shown}", hint=hint)
