"""The outputs of a service that writes them in place: room is made before it starts, and checks follow its end.

Stale outputs go, parent folders come; what a service in a job's container left behind is held to the same rules as in a
container of its own (`files/left_behind.py`).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from swath.errors import UserError
from swath.files.left_behind import LeftBehindError, check_output, folder_of
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


def resolved_folders(invocation: Invocation) -> dict[Path, str]:
    """Where the folders of the outputs lie before the service starts, all links resolved: these are the user's."""
    return {path: os.path.realpath(path.parent) for path in output_paths(invocation)}


def left_behind(invocation: Invocation, folders: dict[Path, str]) -> list[str]:
    """What is wrong with outputs that a service wrote in place: a sentence each, in the order of the arguments.

    Args:
        folders: what `resolved_folders` said before it started.
    """
    base = invocation.root / invocation.wdir
    problems = []
    for path, folder in folders.items():
        text = path.relative_to(base)
        now = os.path.realpath(path.parent)
        if now != folder:
            problems.append(f"its output {text} lies behind a link: {str(path.parent)!r} -> {now!r}")
            continue
        try:
            _check(folder, path.name)
        except LeftBehindError as error:
            problems.append(f"its output {text} {error}")
    return problems


def _check(folder: str, name: str) -> None:
    with folder_of(folder, name) as opened:
        is_directory = stat.S_ISDIR(os.lstat(name, dir_fd=opened).st_mode)
        check_output(opened, name, is_directory=is_directory, seen_at=f"{folder}/{name}")
