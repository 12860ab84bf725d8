"""The jobs of a commit: the same for `swath compile` and inside every job.

    graph + decisions + settings + services ─▶ Workload of each stage ─▶ PipelinePlan

No registry and no remote is asked, so a job that knows the decisions works out the same plan, with the same digest.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from swath.dvc_border.revision import commit_id
from swath.errors import FindingsError, UserError
from swath.images.service_image import ServiceImage, default_image, service_image, swath_image
from swath.load.options import stage_options
from swath.load.services import load_service
from swath.model.jobs import PipelinePlan, Workload
from swath.model.shell_words import first_service
from swath.plan.assign import assign
from swath.plan.timeouts import expected_s, is_long
from swath.plan.transport import check_transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from swath.dvc_border.repository import Repository
    from swath.model.graph import StageGraph
    from swath.model.plan import DecisionKind
    from swath.model.service import Resources, Service
    from swath.model.settings import Settings
    from swath.model.stage import Stage


def planned_jobs(
    repository: Repository,
    graph: StageGraph,
    decisions: Mapping[str, DecisionKind],
    settings: Settings,
    *,
    commit: str | None = None,
    level: int = 1,
    keys: Mapping[str, str] | None = None,
    continues: bool = False,
    loads: Workloads | None = None,
) -> PipelinePlan:
    """The jobs that do what was decided.

    Args:
        repository: the commit's files.
        graph: all stages of the repository.
        decisions: of all of them, as `SWATH_DECISIONS` says them.
        commit: its full id; None: HEAD of `repository`.
        level: of the child pipeline, from 1.
        keys: of the work of each stage that will run; None: they are not wanted, as inside a job.
        continues: whether a further level follows.
        loads: of this repository; None: they are read.

    Raises:
        UserError: a service is wrong or has no image, no runner can run a stage, a limit of GitLab is passed, or a job
            would read what no other one may push.
    """
    loads = loads or Workloads(repository.root, settings)
    workloads = {name: loads.of(stage, (keys or {}).get(name, "")) for name, stage in graph.stages.items()}
    jobs = assign(graph, decisions, workloads, settings, own_image=swath_image(settings))
    check_transport(graph, decisions, jobs)
    return PipelinePlan(commit or commit_id(repository), level, jobs, continues, repository.subfolder)


class Workloads:
    """What stages of one repository need; each service is read once.

    Args:
        environ: SWATH_BUILD_ARG_NAME changes an argument of images' builds; None: nothing does.

    Attributes:
        services: of the stages that were asked for so far: stage name to service name.
    """

    def __init__(self, root: Path, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        self._root, self._settings, self._environ = root, settings, environ
        self._service = cache(lambda name: load_service(root, name))
        self._image = cache(self._find_image)
        self._own = swath_image(settings)
        self._known: dict[str, ServiceImage] = {}
        self.services: dict[str, str | None] = {}

    def of(self, stage: Stage, key: str = "") -> Workload:
        """What a stage needs.

        Raises:
            UserError: its service or its `meta.swath` is wrong, or its service has no image.
        """
        service = self._service_of(stage)
        self.services[stage.name] = service.name if service else None
        options = stage_options(stage, service, self._settings, in_ci=True)
        image = self._image(service.name if service else None, bool(options.resources.gpus))
        reference = image.reference if image else self._own
        expected = expected_s(options.timeout_s, options.expected_s)
        return Workload(
            image=self._own if self._settings.execution == "docker" else reference,
            service=service.name if service else None,
            resources=options.resources,
            timeout_s=options.timeout_s,
            retries=options.retries,
            expected_s=expected,
            key=key,
            interruptible=not is_long(
                expected,
                training=service is not None and service.kind == "training",
                gpus=options.resources.gpus or 0,
            ),
            images=(reference,) if image else (),
        )

    def _service_of(self, stage: Stage) -> Service | None:
        """The service that a stage's commands start first; None: it has none."""
        name = first_service(stage.commands)
        try:
            return self._service(name) if name else None
        except UserError as error:
            if error.place is not None or isinstance(error, FindingsError):
                raise
            raise UserError(error.message, place=stage.place, hint=error.hint) from error

    def long(self, stages: Iterable[Stage]) -> frozenset[str]:
        """The names of those that a newer pipeline must not stop; errors as `of`."""
        return frozenset(stage.name for stage in stages if not self.of(stage).interruptible)

    def demand(self, stage: Stage) -> Resources:
        """The resources that a stage asks for.

        Raises:
            UserError: its service or its `meta.swath` is wrong.
        """
        return stage_options(stage, self._service_of(stage), self._settings, in_ci=True).resources

    def images(self) -> tuple[ServiceImage, ...]:
        """The images that were asked for so far, by reference."""
        return tuple(self._known[reference] for reference in sorted(self._known))

    def _find_image(self, name: str | None, gpus: bool) -> ServiceImage | None:  # noqa: FBT001 - a cache's key
        if name is None:
            image = default_image(self._settings)
        else:
            service = self._service(name)
            image = service_image(service, self._root, self._settings, gpus=gpus, environ=self._environ)
        if image is not None:
            self._known[image.reference] = image
        return image
