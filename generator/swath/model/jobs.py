"""GitLab CI jobs as values: what a plan becomes before it is YAML. No I/O.

Made by `plan/assign.py`; read by `emit/` (YAML) and by `job/` (inside a job, which works out the same jobs again).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from swath.model.runner import Runner
from swath.model.service import Resources


@dataclass(frozen=True, slots=True)
class Workload:
    """What a stage needs of the job that runs it.

    Attributes:
        image: the image's reference, as the YAML says it; stages of one image may share a job.
        service: the service that it starts; None: a plain command.
        timeout_s: longest time for one attempt; None: no limit of its own.
        retries: further attempts after a failure.
        expected_s: how long it took before; None: unknown.
        key: of its work: equal keys mean equal inputs and command, so equal results; empty: not worked out.
        interruptible: whether little is lost when a newer pipeline stops it.
        images: references that must exist before it starts, its own or those of the containers that it starts.
    """

    image: str
    service: str | None
    resources: Resources
    timeout_s: float | None
    retries: int
    expected_s: float | None
    key: str
    interruptible: bool = True
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A GitLab CI job: stages of one image, on one runner, in order.

    Attributes:
        name: unique in the pipeline, at most 255 characters, harmless in YAML and shells.
        stages: names in the order in which they run; none: a join job, which only gathers `needs`.
        needs: names of jobs that must have succeeded.
        timeout_s: of the whole job, transfers included.
        interruptible: may a newer pipeline of the branch stop it.
        key: of its work: equal keys mean equal results; empty: not worked out.
        level: length of the longest chain of jobs before it, from 0: its ci stage.
        images: references that must exist before it starts, sorted; none for jobs in Swath's own image.
        queue: GitLab's `resource_group` in which it waits for its turn; empty: none (`plan/queues.py`).
    """

    name: str
    stages: tuple[str, ...]
    image: str
    runner: Runner
    resources: Resources
    needs: tuple[str, ...]
    timeout_s: int
    interruptible: bool
    key: str
    level: int
    images: tuple[str, ...] = ()
    queue: str = ""


@dataclass(frozen=True, slots=True)
class PipelinePlan:
    """The jobs of one child pipeline.

    Attributes:
        commit: the full id of the commit that is planned.
        level: 1, or 2 for stages that are known only at run time.
        jobs: in the order of the YAML.
        continues: whether a further level follows, because a stage writes what says which stages exist.
        subfolder: the DVC repository's folder in Git's checkout; empty: the top.
    """

    commit: str
    level: int
    jobs: tuple[Job, ...]
    continues: bool = False
    subfolder: str = ""

    @property
    def digest(self) -> str:
        """16 hex digits that name these jobs with these stages at this commit, in this folder."""
        document = [self.commit, self.level, [[job.name, list(job.stages)] for job in self.jobs]]
        document += [self.subfolder] if self.subfolder else []
        return hashlib.sha256(json.dumps(document).encode()).hexdigest()[:16]

    def job(self, name: str) -> Job | None:
        """The job of that name; None: there is none."""
        return next((job for job in self.jobs if job.name == name), None)

    def upstream(self, job: Job) -> tuple[Job, ...]:
        """The jobs with stages that `job` waits for, in the order of the YAML: join jobs are looked through."""
        by_name = {each.name: each for each in self.jobs}
        found: set[str] = set()
        waiting = list(job.needs)
        while waiting:
            name = waiting.pop()
            if by_name[name].stages:
                found.add(name)
            else:
                waiting.extend(by_name[name].needs)
        return tuple(each for each in self.jobs if each.name in found)
