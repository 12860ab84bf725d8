"""Is the document one that GitLab takes: its schema, and every limit that a generated pipeline can pass.

The schema knows no numbers of jobs, names or needs, and no missing jobs; they are counted here. All findings are
gathered; the caller raises.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from swath import limits
from swath.emit.parsed_size import parsed_bytes
from swath.emit.schema import schema_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from swath.model.settings import Settings
    from swath.model.stage import JSONValue

    Jobs = Mapping[str, Mapping[str, JSONValue]]

_TOP: Final = frozenset({"workflow", "stages", "variables"})
_NAME: Final = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9_.@/+: -]*")
_TIMEOUT: Final = re.compile(r"(?:(\d+)h ?)?(?:(\d+)m)?")


def check(document: Mapping[str, JSONValue], text: str, settings: Settings, level: int = 1) -> tuple[str, ...]:
    """What GitLab would refuse: one sentence for each finding, naming job and limit; empty: nothing.

    Args:
        text: the document's YAML.
        settings: its own limits of jobs and needs.
        level: of the child pipeline.
    """
    jobs = {name: job for name, job in document.items() if name not in _TOP and isinstance(job, dict)}
    return (
        *_file_findings(document, jobs, text, settings, level),
        *(finding for name, job in jobs.items() for finding in _job_findings(name, job, jobs, document, settings)),
        *_cycle(jobs),
        *(f"GitLab's schema: {finding}" for finding in schema_findings(document)),
    )


def _over(what: str, value: int, limit: int, unit: str) -> Iterator[str]:
    if value > limit:
        yield f"{what}: {value} {unit}, GitLab's limit is {limit}"


def _file_findings(
    document: Mapping[str, JSONValue], jobs: Jobs, text: str, settings: Settings, level: int
) -> Iterator[str]:
    yield from _over("the file", len(text.encode()), limits.YAML_BYTES, "bytes")
    yield from _over("the file", nesting(document), limits.YAML_DEPTH, "levels of nesting")
    room = limits.parsed_bytes_of_a_file(settings.ci.version)
    for finding in _over("the file", parsed_bytes(document), room, "bytes when GitLab has parsed it"):
        yield f"{finding} in version {settings.ci.gitlab_version}; a lower `ci.max_jobs` helps"
    yield from _over("child pipelines", level + _continues(jobs), limits.CHILD_LEVELS, "levels below the parent")
    if len(jobs) > settings.ci.max_jobs:
        yield f"the pipeline: {len(jobs)} jobs, `ci.max_jobs` of swath.yaml allows {settings.ci.max_jobs}"
    if not jobs:
        yield "the pipeline: no jobs, GitLab refuses an empty one"
    for name, value in _pairs(document.get("variables")):
        yield from _over(f"the variable {name}", len(str(value).encode()), limits.CHILD_VARIABLE_BYTES, "bytes")
    for name in _texts(document.get("stages")):
        yield from _over(f"the ci stage {name[:40]}…", len(name), limits.CI_STAGE_NAME_CHARACTERS, "characters")


def _continues(jobs: Jobs) -> bool:
    return any("trigger" in job for job in jobs.values())


def _job_findings(
    name: str, job: Mapping[str, JSONValue], jobs: Jobs, document: Mapping[str, JSONValue], settings: Settings
) -> Iterator[str]:
    who = f"the job {name[:80]!r}"
    yield from _over(who, len(name), limits.JOB_NAME_CHARACTERS, "characters of its name")
    if not _NAME.fullmatch(name) or name in limits.RESERVED_JOB_NAMES:
        yield f"{who}: GitLab gives this name a meaning of its own"
    yield from _over(who, len(_texts(job.get("tags"))), limits.TAGS, "tags")
    needs = _needs(job)
    if len(needs) > settings.ci.needs:
        yield f"{who}: {len(needs)} needs, `ci.needs` of swath.yaml allows {settings.ci.needs}"
    if len(set(needs)) < len(needs):
        yield f"{who}: it needs a job twice"
    yield from (f"{who}: it needs {need!r}, which is no job of this pipeline" for need in needs if need not in jobs)
    stages = _texts(document.get("stages"))
    if job.get("stage") not in stages:
        yield f"{who}: its ci stage {job.get('stage')!r} is not among `stages`"
    else:
        position = stages.index(str(job["stage"]))
        later = [need for need in needs if need in jobs and stages.index(str(jobs[need]["stage"])) > position]
        yield from (f"{who}: it needs {need!r} of a later ci stage" for need in later)
    yield from _over(who, _seconds(job.get("timeout")), limits.JOB_TIMEOUT_S, "seconds of timeout")
    yield from _trigger_findings(who, job)


def _trigger_findings(who: str, job: Mapping[str, JSONValue]) -> Iterator[str]:
    for keyword in ("trigger", "retry"):
        for name, value in _pairs(job.get(keyword)):
            if name == "include" and isinstance(value, list):
                yield from _over(who, len(value), limits.TRIGGER_INCLUDES, "included files")
            if name == "max" and isinstance(value, int):
                yield from _over(who, value, limits.RETRIES, "retries")


def _cycle(jobs: Jobs) -> Iterator[str]:
    """A job in a circle of needs, if there is one."""
    waiting = {name: {need for need in _needs(job) if need in jobs} for name, job in jobs.items()}
    while ready := [name for name, needs in waiting.items() if not needs]:
        for name in ready:
            del waiting[name]
        done = set(ready)
        waiting = {name: needs - done for name, needs in waiting.items()}
    if waiting:
        yield f"the jobs {', '.join(sorted(waiting)[:5])} wait for each other in a circle"


def _needs(job: Mapping[str, JSONValue]) -> list[str]:
    value = job.get("needs")
    items = value if isinstance(value, list) else []
    return [str(item["job"]) if isinstance(item, dict) else str(item) for item in items]


def _texts(value: JSONValue) -> Sequence[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _pairs(value: JSONValue) -> Sequence[tuple[str, JSONValue]]:
    return list(value.items()) if isinstance(value, dict) else []


def _seconds(value: JSONValue) -> int:
    match = _TIMEOUT.fullmatch(value) if isinstance(value, str) else None
    return int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 if match else 0


def nesting(value: JSONValue) -> int:
    """How deep lists and mappings lie in each other; 0: the value is neither."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(nesting, inner), default=0) if isinstance(value, dict | list) else 0
