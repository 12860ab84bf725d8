"""What a GitLab job must say to build an image and push it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swath.images.service_image import ServiceImage
    from swath.model.settings import Settings


@dataclass(frozen=True, slots=True)
class BuildJob:
    """A job's keywords, as GitLab has them.

    Attributes:
        image: the builder's image; may hold a variable of `variables`.
        entrypoint: of that image; None: its own.
        services: further containers of the job: name and alias.
        variables: of the job; variables of the same name in the project's settings beat them.
        script: lines of a POSIX shell.
        needs_privileged: the runner must start privileged containers.
        needs_socket: the runner must give jobs the engine's socket.
    """

    image: str
    entrypoint: tuple[str, ...] | None
    services: tuple[tuple[str, str], ...]
    variables: dict[str, str]
    script: tuple[str, ...]
    needs_privileged: bool
    needs_socket: bool


def build_job(image: ServiceImage, settings: Settings) -> BuildJob:
    """The job that builds `image` with the builder of swath.yaml and pushes it."""
    raise NotImplementedError
