"""Asks an image registry which images are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from swath.images.service_image import ServiceImage


def missing_images(images: Iterable[ServiceImage], environ: Mapping[str, str]) -> frozenset[str]:
    """The references, as the YAML says them, of the images that their registries do not have.

    Args:
        images: of any registries.
        environ: GitLab's variables: CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD among them.

    Raises:
        UserError: a registry refuses us, or is not known.
        PassingFaultError: a registry does not answer.
    """
    raise NotImplementedError
