"""Make room for a service's outputs: stale ones go, parent folders come. For runtimes in which it writes in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import UserError
from swath.files.removal import remove
from swath.model.arguments import items, volume_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swath.model.invocation import Invocation


def output_paths(invocation: Invocation) -> Iterator[Path]:
    """The places of the service's outputs in the workspace, absolute; those in volumes are left out."""
    parameters = {parameter.name: parameter for parameter in invocation.service.parameters}
    for name, value in invocation.arguments:
        if parameters[name].is_path and parameters[name].direction == "output":
            for text in items(value):
                if volume_of(text) is None:
                    yield invocation.root / invocation.wdir / text


def prepare_outputs(invocation: Invocation) -> None:
    """Remove what is left of the outputs, unless they are kept, and make their parent folders.

    A link is removed, never followed, so that DVC's cache stays whole.

    Raises:
        UserError: something cannot be removed or made.
    """
    for path in output_paths(invocation):
        try:
            if not invocation.keep_outputs:
                remove(path)
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make room for the output {path}: {error.strerror}") from error


def missing_outputs(invocation: Invocation) -> list[str]:
    """The outputs that are not there, as the command names them: a service that ends well has written all."""
    places = [path for path in output_paths(invocation) if not path.exists()]
    base = invocation.root / invocation.wdir
    return [str(path.relative_to(base)) for path in places]
