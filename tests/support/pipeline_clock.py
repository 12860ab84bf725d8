"""Pipelines on a clock that jumps: which job waits for what, for how long, and what GitLab drops meanwhile.

Nothing is run: each job takes the time that the test names. GitLab's rules as its sources have them, read 2026-11-28:
`app/services/ci/stuck_builds/drop_pending_service.rb` (a job that is *pending* for a day is dropped, and `retry` counts
that; the clock begins anew with each change of the job), `app/models/ci/processable.rb` and
`app/models/ci/resource_group.rb` (a job asks for its `resource_group` first, and is *waiting_for_resource* until then:
that state is never dropped; it becomes pending, and keeps the group, when it gets it).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from swath.limits import PENDING_LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

State = Literal["created", "waiting_for_resource", "pending", "running", "success", "failed", "skipped"]
_HEAD: Final = {"workflow", "stages", "variables"}
_STUCK: Final = {"stuck_or_timeout_failure", "stuck_pending_with_matching_runners"}
_ENDED: Final = {"success", "failed", "skipped"}


@dataclass(eq=False)
class ClockJob:
    """A job.

    Attributes:
        pipeline: its number, in the order of creation.
        since_s: when it came into its state.
        started_s: when its last attempt began to run.
        dropped: how often GitLab has dropped it as pending for too long.
    """

    pipeline: int
    name: str
    keywords: Mapping[str, Any]
    state: State = "created"
    since_s: float = 0.0
    started_s: float | None = None
    dropped: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in _ENDED


@dataclass
class Clock:
    """A project with its runners.

    Attributes:
        runners: how many jobs run at a time, by the tags that they ask for.
        seconds: how long each job runs; those without an entry take a minute.
        fails: jobs that fail.
    """

    runners: Mapping[tuple[str, ...], int]
    seconds: Mapping[str, float] = field(default_factory=dict)
    fails: frozenset[str] = frozenset()
    jobs: list[ClockJob] = field(default_factory=list)
    now_s: float = 0.0
    _documents: list[Mapping[str, Any]] = field(default_factory=list)

    def create(self, document: Mapping[str, Any]) -> None:
        """Create a pipeline, now."""
        number = len(self._documents)
        self._documents.append(document)
        for name, keywords in document.items():
            if name not in _HEAD:
                self.jobs.append(ClockJob(number, name, keywords, since_s=self.now_s))

    def run(self, until_s: float = float("inf")) -> None:
        """Let time pass until all has ended, or until a moment."""
        while True:
            while self._step():
                pass
            times = [self._next_s(job) for job in self.jobs if job.state in {"pending", "running"}]
            if not times or min(times) > until_s:
                self.now_s = until_s if until_s < float("inf") else self.now_s
                return
            self.now_s = min(times)
            self._end_what_is_due()

    def job(self, name: str, pipeline: int = 0) -> ClockJob:
        """A job of a pipeline."""
        return next(job for job in self.jobs if (job.pipeline, job.name) == (pipeline, name))

    def _step(self) -> bool:
        """Move each job on that can be moved; whether one was."""
        moved = False
        for job in self.jobs:
            if job.state == "created" and (to := self._verdict(job)):
                moved = self._move(job, to)
            if job.state == "waiting_for_resource" and self._is_free(job):
                moved = self._move(job, "pending")
            if job.state == "pending" and self._has_runner(job):
                job.started_s = self.now_s
                moved = self._move(job, "running")
        return moved

    def _move(self, job: ClockJob, state: State) -> bool:
        job.state, job.since_s = state, self.now_s
        return True

    def _before(self, job: ClockJob) -> Sequence[ClockJob]:
        same = [other for other in self.jobs if other.pipeline == job.pipeline]
        if "needs" in job.keywords:
            return [other for other in same if other.name in job.keywords["needs"]]
        stages = list(self._documents[job.pipeline]["stages"])
        at = stages.index(job.keywords["stage"])
        return [other for other in same if stages.index(other.keywords["stage"]) < at]

    def _verdict(self, job: ClockJob) -> State | None:
        before = self._before(job)
        if not all(other.ended for other in before):
            return None
        when = job.keywords.get("when", "on_success")
        failed = any(other.state == "failed" for other in before)
        skipped = "needs" in job.keywords and any(other.state == "skipped" for other in before)
        start = when == "always" or (failed if when == "on_failure" else not (failed or skipped))
        if not start:
            return "skipped"
        return "waiting_for_resource" if "resource_group" in job.keywords else "pending"

    def _is_free(self, job: ClockJob) -> bool:
        """Whether no job, of whatever pipeline, holds the group."""
        group = job.keywords["resource_group"]
        holders = (other for other in self.jobs if other.state in {"pending", "running"})
        return all(other.keywords.get("resource_group") != group for other in holders)

    def _has_runner(self, job: ClockJob) -> bool:
        if "trigger" in job.keywords:  # needs none
            return True
        tags = tuple(job.keywords["tags"])
        running = sum(other.state == "running" and tuple(other.keywords.get("tags", ())) == tags for other in self.jobs)
        return running < self.runners[tags]

    def _next_s(self, job: ClockJob) -> float:
        length = PENDING_LIMIT_S if job.state == "pending" else self.seconds.get(job.name, 60.0)
        return job.since_s + length

    def _end_what_is_due(self) -> None:
        for job in self.jobs:
            if job.state not in {"pending", "running"} or self._next_s(job) > self.now_s:
                continue
            if job.state == "running":
                self._move(job, "failed" if job.name in self.fails else "success")
            else:
                job.dropped += 1
                retry = job.keywords.get("retry", {})
                again = job.dropped <= retry.get("max", 0) and _STUCK & set(retry.get("when", ()))
                self._move(job, "created" if again else "failed")
