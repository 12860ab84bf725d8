"""Queues of long jobs: the `resource_group`s in which GitLab lets a job wait for its turn.

A job that waits for a runner is *pending*, and GitLab drops what is pending for a day (`limits.py: PENDING_LIMIT_S`). A
job that waits for its `resource_group` is *waiting_for_resource*, which has no limit; it becomes pending when its turn
comes. So long jobs of a class of runners share as many groups as the class runs jobs at a time:

    swath-gpu-1:  train_a ─▶ train_c ─▶ …       one after the other, whatever comes of each, and whichever
    swath-gpu-2:  train_b ─▶ …                  pipeline of the project they belong to

Where a class has room for all long jobs of the graph at once, such groups would only keep runners idle: there a group
is the work itself, so that equal work of two pipelines queues, and the second finds the results of the first.

Short jobs have no queue: GitLab has known races in pipelines with many groups. Where a class runs one job at a time,
they wait with the long ones, behind which they would be pending.

Sources: GitLab's `app/services/ci/stuck_builds/drop_pending_service.rb` and `app/models/ci/processable.rb`, read
2026-11-28; https://gitlab.com/gitlab-org/gitlab/-/issues/435084, https://gitlab.com/gitlab-org/gitlab/-/issues/436988.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swath.model.jobs import Job
    from swath.model.runner import Runner
    from swath.plan.fuse import Thread

_PREFIX: Final = "swath"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME: Final = 150  # characters of the tags; GitLab allows 255 in all


def with_queues(jobs: Sequence[Job], threads: Sequence[Thread], runners: Mapping[str, Runner]) -> tuple[Job, ...]:
    """The jobs, those that may wait for long with a queue.

    A job's place follows from the whole graph, not from what is to run, so that equal work of two commits waits in one
    queue. Two jobs of one pipeline that have the same place part when another queue has fewer of them.

    Args:
        threads: of the whole graph.
        runners: of each stage.
    """
    places, count = _places(threads, runners)
    waiting: Counter[str] = Counter()
    found = []
    for job in jobs:
        tags, width = tuple(job.runner.tags), job.runner.concurrency
        queue = ""
        if job.stages and count[tags] and width == 1:
            queue = _name(tags, 1)
        elif job.stages and not job.interruptible and count[tags] > width:
            first = min(places[name] for name in job.stages if name in places)
            names = [_name(tags, (first + step) % width + 1) for step in range(width)]
            queue = min(names, key=lambda name: waiting[name])  # the first of equal ones
            waiting[queue] += 1
        elif job.stages and not job.interruptible and job.key:
            queue = f"{_PREFIX}-{job.key}"
        found.append(replace(job, queue=queue))
    return tuple(found)


def _places(
    threads: Sequence[Thread], runners: Mapping[str, Runner]
) -> tuple[dict[str, int], Mapping[tuple[str, ...], int]]:
    """The number of each stage of a long thread among those of its tags, from 0; and how many these tags have."""
    places: dict[str, int] = {}
    count: Counter[tuple[str, ...]] = Counter()
    for thread in threads:
        if thread.long:
            tags = tuple(runners[thread.stages[0]].tags)
            places.update(dict.fromkeys(thread.stages, count[tags]))
            count[tags] += 1
    return places, count


def _name(tags: Sequence[str], number: int) -> str:
    """A queue's name: letters, digits, `_`, `-` and a dot between tags; others are replaced, and a hash follows."""
    plain = ".".join(_NOT_IN_NAMES.sub("-", tag) for tag in tags)
    if plain != ".".join(tags) or len(plain) > _LONGEST_NAME or any("." in tag for tag in tags):
        plain = f"{plain[:_LONGEST_NAME]}-{hashlib.sha256(repr(tuple(tags)).encode()).hexdigest()[:8]}"
    return f"{_PREFIX}-{plain}-{number}"
