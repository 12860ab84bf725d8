"""All images of a repository, and which of them are in their registry: for `swath image list` and `show`.

services + settings  ->  ServiceImage ...  ->  ImageState: its tag, and whether the registry has it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from swath.images.reference import resolved
from swath.images.registry import missing_images
from swath.images.service_image import default_image, service_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from swath.images.service_image import ServiceImage
    from swath.model.service import Service
    from swath.model.settings import Settings


@dataclass(frozen=True, slots=True)
class ImageState:
    """An image and where it is.

    Attributes:
        address: its full name, without variables.
        is_present: in its registry.
    """

    image: ServiceImage
    address: str
    is_present: bool


def repository_images(
    services: Iterable[Service], root: Path, settings: Settings, environ: Mapping[str, str]
) -> tuple[ServiceImage, ...]:
    """The images of the services that have any, each with its variant for GPUs, and the one of plain commands.

    Args:
        services: such as `load_services` gives them.
        root: the repository's root.
        environ: SWATH_BUILD_ARG_<NAME> overrides build arguments.

    Returns:
        In the order of the services; each image once.

    Raises:
        UserError: an image cannot be built.
    """
    found: dict[str, ServiceImage] = {}
    for service in services:
        for gpus in (False, True):
            if service.image is not None:
                image = service_image(service, root, settings, gpus=gpus, environ=environ)
                found.setdefault(image.reference, image)
    plain = default_image(settings)
    return (*found.values(), *([plain] if plain else []))


def image_states(images: Iterable[ServiceImage], environ: Mapping[str, str]) -> tuple[ImageState, ...]:
    """Which images are in their registries, in the given order.

    Raises:
        UserError: a registry refuses us, or is not known.
        PassingFaultError: a registry does not answer.
    """
    wanted = tuple(images)
    missing = missing_images(wanted, environ)
    return tuple(
        ImageState(image, resolved(image.reference, environ), image.reference not in missing) for image in wanted
    )
