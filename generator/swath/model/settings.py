"""What swath.yaml and `meta.swath` of a stage say. No I/O.

The structs are at the same time the file's format (msgspec decodes into them and derives the published JSON Schema) and
the values that travel through Swath. Every key is optional. Read by `load/settings.py` and `load/options.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from swath.model.runner import Runner
from swath.model.service import Name, Resources
from swath.model.units import Duration

Builder = Literal["buildkit", "docker", "buildah", "dind"]
Execution = Literal["image", "docker"]
Recording = Literal["experiment", "commit", "none"]
VolumeName = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_-]*$", description="letters, digits, - and _")]
ImageReference = Annotated[str, Meta(pattern=r"^\S+$", description="without spaces")]
ProjectPath = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$", description="group/project")]
JSONObject = dict[str, Any]  # msgspec knows no narrower word for any JSON value


class Overrides(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is operational about a stage: it can change without a rerun. Unset values fall back to the next level.

    Attributes:
        resources: what it asks for.
        timeout: longest time for one attempt.
        retries: further attempts after a failure.
        expected: how long one attempt usually takes; None: a fourth of the timeout.
    """

    resources: Resources = Resources()
    timeout: Duration | None = None
    retries: Annotated[int, Meta(ge=0, le=10)] | None = None
    expected: Duration | None = None


class VolumeEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of `volumes`.

    Attributes:
        path: a folder (absolute, or from the repository's root) or an http(s) URL; None: SWATH_VOLUME_NAME must say it.
        read_only: services may only read it.
    """

    path: str | None = None
    read_only: bool = True


class ContinuousIntegration(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How workflows become GitLab CI jobs.

    Attributes:
        workflows: the dvc.yaml files that CI runs, from the root.
        gitlab_version: the server's, which decides what its YAML may hold; outside of CI, where jobs tell no version.
        project: path of the GitLab project, as its address has it; then a fork's own pushes start no pipelines.
        max_jobs: jobs of one pipeline.
        needs: entries of one job's `needs`; GitLab's default limit is 50.
        services: what beats `services` of the file, by service, in CI alone.
    """

    workflows: Annotated[list[str], Meta(min_length=1)] = field(default_factory=lambda: ["dvc.yaml"])
    gitlab_version: Annotated[str, Meta(pattern=r"^\d+\.\d+$")] = "17.0"
    project: ProjectPath | None = None
    max_jobs: Annotated[int, Meta(ge=1)] = 500
    needs: Annotated[int, Meta(ge=1)] = 50
    services: dict[Name, Overrides] = field(default_factory=dict)

    @property
    def version(self) -> tuple[int, int]:
        """The server's, as numbers that can be compared."""
        major, _, minor = self.gitlab_version.partition(".")
        return int(major), int(minor)


class Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How results come back into Git.

    Attributes:
        merge_request: on a merge request's branch.
        default_branch: on the default branch.
    """

    merge_request: Recording = "experiment"
    default_branch: Recording = "commit"


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of swath.yaml.

    Attributes:
        registry: where images are pushed, without the image's name.
        default_image: for stages without a service.
        builder: what builds images in CI.
        execution: ``image``: the job runs in the service's image; ``docker``: containers through the engine's socket.
        runners: the classes of runners, each asked in this order when prices are equal.
        services: what beats service.yaml, by service.
        volumes: places outside the repository, by name.
        report: reserved for the report; not read yet.
    """

    registry: ImageReference = "$CI_REGISTRY_IMAGE"
    default_image: ImageReference | None = None
    builder: Builder = "buildkit"
    execution: Execution = "image"
    runners: Annotated[list[Runner], Meta(min_length=1)] = field(default_factory=lambda: [Runner()])
    services: dict[Name, Overrides] = field(default_factory=dict)
    volumes: dict[VolumeName, VolumeEntry] = field(default_factory=dict)
    ci: ContinuousIntegration = ContinuousIntegration()
    record: Record = Record()
    report: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What is operational about one stage, after all levels were asked.

    Attributes:
        resources: what it asks for; unset values are not counted.
        timeout_s: longest time for one attempt; None: no limit.
        retries: further attempts after a failure.
        expected_s: how long one attempt usually takes; None: nobody says.
    """

    resources: Resources
    timeout_s: float | None
    retries: int
    expected_s: float | None = None
