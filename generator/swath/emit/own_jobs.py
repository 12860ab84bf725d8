"""Jobs of our own: builds of images, the recording, the next level, and the one that says that nothing is to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swath.emit.job import Keywords, Version, artifacts, clean, container, duration, needs, retry, tags
from swath.emit.script import from_subfolder, swath_script
from swath.emit.yaml import Flow, FlowMap
from swath.limits import AUTO_CANCEL_SINCE, MIRROR_SINCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.runner import Runner

COLLECT: Final = "collect"
PLAN: Final = "plan"
NEXT_LEVEL: Final = "level-2"
NOTHING: Final = "nothing-to-do"
PASSED_ON: Final = ("SWATH_PIPELINE", "SWATH_PIPELINE_SOURCE")  # what the parent says of itself to all levels
CREATED: Final = "SWATH_PIPELINE_CREATED_AT"  # of level 1: where both levels record, they make the same commit
_BUILD_TIMEOUT_S: Final = 3 * 3600
_RECORD_TIMEOUT_S: Final = 3600
_PLAN_TIMEOUT_S: Final = 1800


@dataclass(frozen=True, slots=True)
class Build:
    """A job that makes an image.

    Attributes:
        reference: of the image, as jobs name it.
        image: the builder's.
        entrypoint: of that image; None: its own.
        services: further containers: name and alias.
        script: lines of a POSIX shell.
    """

    name: str
    reference: str
    image: str
    entrypoint: tuple[str, ...] | None
    services: tuple[tuple[str, str], ...]
    variables: Mapping[str, str]
    script: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Own:
    """What all own jobs share.

    Attributes:
        image: Swath's own.
        runner: the class that they run on.
        version: of the GitLab server.
        subfolder: the DVC repository's folder in Git's checkout; empty: the top.
    """

    image: str
    runner: Runner
    version: Version
    subfolder: str = ""


def build_image_job(build: Build, own: Own) -> Keywords:
    """The job that makes an image and pushes it."""
    image = FlowMap(name=build.image)
    if build.entrypoint is not None:
        image["entrypoint"] = Flow(build.entrypoint)
    keywords: Keywords = {"stage": "build", "image": image}
    if build.services:
        keywords["services"] = [FlowMap(name=name, alias=alias) for name, alias in build.services]
    return {
        **keywords,
        "tags": tags(own.runner),
        "timeout": duration(_BUILD_TIMEOUT_S),
        "interruptible": True,
        "retry": retry(own.version),
        "needs": Flow(),
        "variables": {"GIT_DEPTH": "1", **clean(own.subfolder), **build.variables},
        "script": list(build.script),
    }


def collect_job(own: Own, digest: str, *, when: str) -> Keywords:
    """The job that records what the others did.

    It has no `needs`: in the last ci stage, `when: always` waits for the end of all jobs before it, however many they
    are and however they end.
    """
    return {
        **_own(own, COLLECT, _RECORD_TIMEOUT_S),
        "interruptible": False,
        "when": when,
        "resource_group": "swath-record-$CI_COMMIT_REF_SLUG",
        "variables": {"GIT_DEPTH": "0", **clean(own.subfolder)},
        "script": Flow(swath_script(own.subfolder, "job", "collect", "--plan-digest", digest)),
        "artifacts": artifacts(),
    }


def plan_job(own: Own, level: int, file: str) -> Keywords:
    """The job that compiles the next level; it starts when all stages before it have succeeded.

    Args:
        file: at the top of Git's checkout: the name needs no quoting there, whatever the repository's folder is called.
    """
    output = from_subfolder(own.subfolder, file)
    return {
        **_own(own, PLAN, _PLAN_TIMEOUT_S),
        "interruptible": True,
        "variables": {"GIT_DEPTH": "0", **clean(own.subfolder)},
        "script": Flow(swath_script(own.subfolder, "compile", "--level", str(level), "-o", output)),
        "artifacts": {"paths": Flow([file]), "expire_in": "1 week"},
    }


def trigger_job(own: Own, file: str) -> Keywords:
    """The job that starts the next level.

    Global variables of this file would go down as pipeline variables and stand over those of the next one's file, so
    none is inherited. What the parent passed came as pipeline variables and is forwarded as such; it stands here once
    more for programs that know no `forward`. A newer pipeline does not stop this job (`auto_cancel`): the next level
    says for each of its jobs whether it may be stopped.
    """
    return {
        "stage": NEXT_LEVEL,
        "interruptible": False,
        "inherit": {"variables": False},
        "variables": {**{name: f"${name}" for name in PASSED_ON}, CREATED: "$CI_PIPELINE_CREATED_AT"},
        "trigger": {
            "include": [FlowMap(artifact=file, job=PLAN)],
            "strategy": strategy(own.version),
            "forward": FlowMap(pipeline_variables=True),
        },
    }


def nothing_job(own: Own) -> Keywords:
    """The job of a pipeline that has none: GitLab refuses an empty one."""
    return {
        **_own(own, NOTHING, _PLAN_TIMEOUT_S),
        "interruptible": True,
        "needs": needs(()),
        "variables": {"GIT_STRATEGY": "none"},
        "script": Flow(["echo 'All stages are up to date.'"]),
    }


def strategy(version: Version) -> str:
    """How a trigger job has its pipeline's status: `mirror` where the server knows it."""
    return "mirror" if version >= MIRROR_SINCE else "depend"


def auto_cancel(version: Version) -> Keywords:
    """What a newer commit's pipeline stops in a pipeline with a trigger: only jobs that say that they may be stopped.

    GitLab's default spares a pipeline in which a job has started that must not be stopped. A trigger does not count
    there, so GitLab would cancel the pipeline above a training, while the one with the training goes on.

    Source: GitLab's `app/services/ci/pipeline_creation/cancel_redundant_pipelines_service.rb` and
    `app/services/ci/cancel_pipeline_service.rb`, read 2026-11-28.
    """
    return {"auto_cancel": FlowMap(on_new_commit="interruptible")} if version >= AUTO_CANCEL_SINCE else {}


def _own(own: Own, ci_stage: str, timeout_s: int) -> Keywords:
    words: Keywords = {
        "stage": ci_stage,
        "image": container(own.image),
        "tags": tags(own.runner),
        "timeout": duration(timeout_s),
        "retry": retry(own.version),
        "dependencies": Flow(),  # no artifacts: all that is needed is in Git and in the remote
    }
    return words
