"""Jobs that run stages, and joins -> GitLab's keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.emit.script import swath_script
from swath.emit.yaml import Flow, FlowMap
from swath.limits import FINER_RETRY_WORDS_SINCE, RETRIES, RETRY_EXIT_CODES_SINCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.model.jobs import Job, PipelinePlan
    from swath.model.runner import Runner
    from swath.model.service import Resources
    from swath.model.stage import JSONValue

Keywords = dict[str, "JSONValue"]
Version = tuple[int, int]

PASSING_FAULT: Final = 75  # errors.py: PassingFaultError
OWN_FILES: Final = ".swath/"  # fragments, logs and metrics: all that goes into artifacts
_KEPT_FOR: Final = "1 week"
# A word that a server does not know makes it refuse the file.
_RETRY_WHEN_BEFORE: Final = ("runner_system_failure", "stuck_or_timeout_failure", "api_failure")
_RETRY_WHEN: Final = (
    "runner_system_failure",
    "runner_external_dependency_failure",
    "runner_interrupted",
    "stuck_pending_with_matching_runners",
    "stuck_pending_no_matching_runners",
    "no_updates_running",
    "api_failure",
)
_CLEAN: Final = "-ffdx -e .dvc/cache"
_CLEAN_BESIDE_OTHERS: Final = "-ffdx -e **/.dvc/cache"
_MIB: Final = 2**20


def stage_job(job: Job, ci_stage: str, builds: Sequence[str], plan: PipelinePlan, version: Version) -> Keywords:
    """The job that runs stages.

    Args:
        builds: names of the jobs that make its images.
        plan: that it belongs to.
    """
    keywords: Keywords = {
        "stage": ci_stage,
        "image": container(job.image),
        "tags": tags(job.runner),
        "timeout": duration(job.timeout_s),
        "interruptible": job.interruptible,
        "retry": retry(version),
        "needs": needs([*builds, *job.needs]),
        "dependencies": Flow(),
        "variables": {"GIT_DEPTH": "1", **clean(plan.subfolder), **kubernetes(job.resources)},
        "script": Flow(swath_script(plan.subfolder, "job", "run", job.name, "--plan-digest", plan.digest)),
        "artifacts": artifacts(),
    }
    return {**keywords, "resource_group": job.queue} if job.queue else keywords


def join_job(job: Job, ci_stage: str, version: Version) -> Keywords:
    """The job that only waits for others."""
    return {
        "stage": ci_stage,
        "image": container(job.image),
        "tags": tags(job.runner),
        "timeout": duration(job.timeout_s),
        "interruptible": True,
        "retry": retry(version),
        "needs": needs(job.needs),
        "dependencies": Flow(),
        "variables": {"GIT_STRATEGY": "none"},
        "script": Flow(["true"]),
    }


def container(image: str) -> FlowMap:
    """The image, without its entrypoint: GitLab starts a shell in it."""
    return FlowMap(name=image, entrypoint=[""])


def tags(runner: Runner) -> Flow:
    """The tags that pick a runner."""
    return Flow(runner.tags)


def needs(names: Sequence[str]) -> JSONValue:
    """All jobs to wait for. An empty list: the job starts at once.

    `dependencies: []` beside it says that none of their artifacts is fetched: a word to each (`artifacts: false`) would
    take three times the room, of which GitLab gives little (`emit/parsed_size.py`).
    """
    return list(names) if names else Flow()


def clean(subfolder: str) -> dict[str, str]:
    """How GitLab cleans a checkout that a runner keeps.

    Its own flags would wipe the DVC cache, whichever job of ours comes next; a DVC repository in a folder may have
    others beside it.
    """
    return {"GIT_CLEAN_FLAGS": _CLEAN_BESIDE_OTHERS if subfolder else _CLEAN}


def retry(version: Version) -> Keywords:
    """What may pass by itself: the runner's faults, and our own exit code for faults of remotes and networks."""
    reasons = _RETRY_WHEN if version >= FINER_RETRY_WORDS_SINCE else _RETRY_WHEN_BEFORE
    words: Keywords = {"max": RETRIES, "when": Flow(reasons)}
    return {**words, "exit_codes": Flow([PASSING_FAULT])} if version >= RETRY_EXIT_CODES_SINCE else words


def artifacts() -> Keywords:
    """Logs and figures, also of failed jobs; never data."""
    return {"paths": Flow([OWN_FILES]), "when": "always", "expire_in": _KEPT_FOR}


def duration(seconds: int) -> str:
    """``2h 5m``, as GitLab reads it; whole minutes."""
    hours, minutes = divmod(seconds // 60, 60)
    return " ".join(part for part in (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "") if part) or "0m"


def kubernetes(resources: Resources) -> dict[str, JSONValue]:
    """What the Kubernetes executor gives the job; other executors ignore it."""
    demands = {
        "CPU": f"{round(resources.cpus * 1000)}m" if resources.cpus else None,
        "MEMORY": _mebibytes(resources.memory),
        "EPHEMERAL_STORAGE": _mebibytes(resources.disk),
    }
    found = {name: text for name, text in demands.items() if text}
    return {f"KUBERNETES_{name}_{side}": text for name, text in found.items() for side in ("REQUEST", "LIMIT")}


def _mebibytes(size: int | None) -> str | None:
    return f"{-(-size // _MIB)}Mi" if size else None
