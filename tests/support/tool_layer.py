"""Swath's own image, with the tool layer, in a registry of the tests.

What takes long (Python, Git, DVC and their packages) is made once per set of versions and kept under `.make/`; Swath
itself is added anew each time.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
from pathlib import Path
from typing import Final

import pytest

from swath.images import debian, swath_image, tool_layer
from swath.images.registry import push_image_parts
from swath.images.service_image import swath_image as own_reference
from swath.model.settings import Settings

REMOTES: Final = ("ssh",)
KEPT: Final = Path(os.environ.get("SWATH_TEST_CACHE") or Path(__file__).resolve().parents[2] / ".make" / "docker")


def built_image() -> swath_image.BuiltImage:
    """The image as files; only one process makes it at a time."""
    recipe = "".join(inspect.getsource(module) for module in (debian, swath_image, tool_layer))
    key = hashlib.sha256("\n".join([recipe, *tool_layer.pinned(REMOTES)]).encode()).hexdigest()[:16]
    folder = KEPT / f"tool-layer-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return swath_image.build_swath_image(folder, REMOTES, "test", lambda _: None)


def push_tool_layer(registry_image: str) -> str:
    """Push the image to ``HOST:PORT/PATH`` of a registry; returns its reference there."""
    environ = {"CI_REGISTRY_IMAGE": registry_image}
    reference = own_reference(Settings())
    push_image_parts(built_image(), reference, (), environ)
    return reference.replace("$CI_REGISTRY_IMAGE", registry_image)


@pytest.fixture(scope="session")
def tool_layer_image(registry: str) -> str:
    """The reference of Swath's image in the `registry` of the session, under ``group/project``."""
    return push_tool_layer(f"{registry}/group/project")
