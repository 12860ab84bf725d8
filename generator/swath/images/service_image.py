"""Which image a stage's job runs in: a service's own, a public one, each with the tool layer; and Swath's.

    service + files + settings  ->  ServiceImage: repository, content tag, and what its build needs

References are as the YAML says them, with GitLab's variables in them; `reference.py` resolves them. Called by `job/`
and the CLI; `build_script.py` makes the build's job, `registry.py` asks which are there.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from swath.errors import Place, UserError
from swath.execute.image import recipe_for, repository_name
from swath.load.content_tag import TOOL_LAYER
from swath.load.git_files import PROGRAM, service_files
from swath.schema.dockerfile import last_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from swath.model.service import Service
    from swath.model.settings import Settings

SWATH_NAME: Final = "swath"
_DEFAULT_NAME: Final = "default.image"  # a name that no service has
_DIGEST: Final = re.compile(r"@sha256:([0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class ServiceImage:
    """An image with the tool layer, and what it is made from.

    Attributes:
        service: whose image; empty: that of stages without a service.
        variant: of the service's image; empty: the plain one.
        repository: where it lies, as the YAML says it: ``$CI_REGISTRY_IMAGE/train.gpu``.
        tag: the content tag.
        build: made from the folder `context`; else from the public image `base`.
        context: the build's folder, from the repository's root.
        dockerfile: from `context`.
        start_line: where its last FROM ends; 0: it has none.
        build_args: name and value, sorted.
        left_out: files and folders below `context`, sorted, that Git has and the image does not see.
        programs: files below `context`, sorted, that are executable.
        base: the public image, as the YAML says it.
        tool_layer: the image that /opt/swath is copied from.
    """

    service: str
    variant: str
    repository: str
    tag: str
    build: bool
    tool_layer: str
    context: str = ""
    dockerfile: str = ""
    start_line: int = 0
    build_args: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    base: str = ""

    @property
    def reference(self) -> str:
        """``$CI_REGISTRY_IMAGE/crop:1a2b3c4d5e6f-t1``."""
        return f"{self.repository}:{self.tag}"


def service_image(
    service: Service, root: Path, settings: Settings, *, gpus: bool, environ: Mapping[str, str] | None = None
) -> ServiceImage:
    """The image of a service's jobs.

    Args:
        service: whose image.
        root: the repository's root.
        settings: say which registry.
        gpus: the job asks for a GPU: take the variant for GPUs, when there is one.
        environ: SWATH_BUILD_ARG_<NAME> overrides a build argument; None: none is overridden.

    Raises:
        UserError: the service has no image, or it cannot be built.
    """
    place = Place(f"services/{service.name}/service.yaml", key="image")
    if service.image is None:
        hint = "write `image: {build: .}` and a Dockerfile; in CI each job runs in its service's image"
        raise UserError(f"the service {service.name} has no image", place=place, hint=hint)
    if service.name == SWATH_NAME:
        hint = "give the service another name"
        raise UserError(f"the name {SWATH_NAME} is taken in the registry by Swath's own image", place=place, hint=hint)
    variant, chosen = service.image.chosen(gpus=gpus)
    if chosen.reference:
        return _wrapped((service.name, variant), repository_name(service.name, variant), chosen.reference, settings)
    folder = root / "services" / service.name
    recipe = recipe_for(service, folder, root, gpus=gpus, environ=environ or {}, tool_layer=TOOL_LAYER)
    counted = {file.path for file in recipe.files}
    return ServiceImage(
        service=service.name,
        variant=recipe.variant,
        repository=f"{_registry(settings)}/{repository_name(service.name, recipe.variant)}",
        tag=recipe.tag.rpartition(":")[2],
        build=True,
        tool_layer=swath_image(settings),
        context=recipe.context.relative_to(root).as_posix(),
        dockerfile=recipe.dockerfile,
        start_line=last_start((recipe.context / recipe.dockerfile).read_text(encoding="utf-8", errors="replace")),
        build_args=tuple(sorted(recipe.build_args.items())),
        left_out=left_out((file.path for file in service_files(recipe.context, root, all_of_git=True)), counted),
        programs=tuple(file.path for file in recipe.files if file.mode == PROGRAM),
    )


def default_image(settings: Settings) -> ServiceImage | None:
    """The image for stages without a service; None: they run in Swath's own image."""
    if settings.default_image is None:
        return None
    return _wrapped(("", ""), _DEFAULT_NAME, settings.default_image, settings)


def swath_image(settings: Settings) -> str:
    """The reference of Swath's own image, which all own jobs run in, and which holds the tool layer."""
    return f"{_registry(settings)}/{SWATH_NAME}:{_version()}"


def left_out(files: Iterable[str], counted: set[str]) -> tuple[str, ...]:
    """The files that do not count, sorted; a folder in which none counts stands for all below it."""
    kept = {parent for path in counted for parent in _parents(path)}
    found = set()
    for path in files:
        if path not in counted:
            found.add(next((parent for parent in _parents(path) if parent not in kept), path))
    return tuple(sorted(found))


def _wrapped(whose: tuple[str, str], name: str, base: str, settings: Settings) -> ServiceImage:
    """A public image with the tool layer: its tag is of its digest, or of its name when it is not pinned.

    Args:
        whose: service and variant.
        name: in the registry.
    """
    digest = _DIGEST.search(base)
    content = digest.group(1) if digest else hashlib.sha256(base.encode()).hexdigest()
    return ServiceImage(
        service=whose[0],
        variant=whose[1],
        repository=f"{_registry(settings)}/{name}",
        tag=f"{content[:12]}-t{TOOL_LAYER}",
        build=False,
        tool_layer=swath_image(settings),
        base=base,
    )


@cache
def _version() -> str:
    """Swath's version as a tag, which may hold no plus."""
    return version("swath").replace("+", "-")


def _registry(settings: Settings) -> str:
    return settings.registry.rstrip("/")


def _parents(path: str) -> list[str]:
    """``a`` and ``a/b`` of ``a/b/c``: the outermost first."""
    steps = path.split("/")[:-1]
    return ["/".join(steps[: count + 1]) for count in range(len(steps))]
