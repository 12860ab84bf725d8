"""Build a service's image here, with the tool layer, and push it: CI's build job on this machine's engine.

The same script runs as in CI (`build_script.py`), so the same image lies under the same tag, and no job builds it
again.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, BinaryIO

from swath.errors import UserError
from swath.images.build_script import build_script
from swath.images.reference import resolved
from swath.images.registry import present_references

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from swath.images.service_image import ServiceImage


def push_image(image: ServiceImage, root: Path, environ: Mapping[str, str], log: BinaryIO) -> str:
    """Build and push an image, unless its registry has it.

    Args:
        root: the repository's root.
        environ: GitLab's variables, as far as the registry's address has any, and what the docker command needs.
        log: where the builder's output goes.

    Returns:
        The image's full name.

    Raises:
        UserError: the image cannot be built, Swath's own image is not in the registry, or the registry refuses us.
        PassingFaultError: the registry does not answer.
    """
    address = resolved(image.reference, environ)
    present = present_references([image.reference, image.tool_layer], environ)
    if image.reference in present:
        return address
    if image.tool_layer not in present:
        message = f"{resolved(image.tool_layer, environ)}, which the tool layer comes from, is not in the registry"
        raise UserError(message, hint="push it first: swath image push")
    script = "\n".join(build_script(image, "docker"))
    done = subprocess.run(["sh", "-c", script], cwd=root, env=dict(environ), stdout=log, stderr=log, check=False)
    if done.returncode:
        message = f"the image {address} could not be built and pushed"
        raise UserError(message, hint="the builder's output says why; a private registry needs `docker login` first")
    return address
