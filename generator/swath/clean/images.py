"""Images of services that Swath built on this machine's engine, and that no service of the checkout has any more."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from swath.clean.environments import OldThing, OldThings
from swath.errors import PassingFaultError, UserError
from swath.execute.engine import Engine, translated
from swath.execute.image import recipe_for
from swath.load.services import load_services

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from pathlib import Path

    from swath.clean.places import GcOptions

LABEL: Final = "swath.service"  # on every image that Swath builds
_LOCAL: Final = "swath/"


def clean_images(root: Path, environ: Mapping[str, str], options: GcOptions) -> OldThings | None:
    """Remove images that are older than the age and that no service has now; None: there is no engine here.

    An image that a container uses stays.
    """
    try:
        engine = Engine(environ)
    except (UserError, PassingFaultError):
        return None
    with contextlib.closing(engine):
        try:
            with translated(engine.address):
                images = engine.api.images(filters={"label": LABEL})
        except (UserError, PassingFaultError):
            return None
        going = old_images(images, _current(root, environ), time.time() - options.age_s)
        found = [each for each in going if options.dry_run or _remove(engine, each.name)]
    return OldThings(f"the Docker engine {engine.address}", "image", tuple(found), len(images) - len(found))


def old_images(images: Iterable[Mapping[str, Any]], current: Container[str], oldest: float) -> list[OldThing]:
    """Names of images to remove, by the engine's list of those with our label.

    Args:
        current: names that services have now.
        oldest: in seconds since 1970; images made since then stay.
    """
    return [
        OldThing(name, int(image.get("Size") or 0))
        for image in images
        if float(image.get("Created") or oldest) < oldest
        for name in sorted(image.get("RepoTags") or ())
        if name.startswith(_LOCAL) and name not in current
    ]


def _current(root: Path, environ: Mapping[str, str]) -> set[str]:
    """The names of the images of all services in the checkout."""
    found: set[str] = set()
    for service in load_services(root).values():
        if service.image is not None and service.image.build is not None:
            folder = root / "services" / service.name
            found.update(recipe_for(service, folder, root, gpus=gpus, environ=environ).tag for gpus in (False, True))
    return found


def _remove(engine: Engine, name: str) -> bool:
    try:
        with translated(engine.address):
            engine.api.remove_image(name)
    except (UserError, PassingFaultError):  # a container uses it, or somebody else removed it
        return False
    return True
