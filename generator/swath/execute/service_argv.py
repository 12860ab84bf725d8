"""The words that start a service: its entrypoint, then its arguments. Pure; the same for every runtime.

An argument comes as two words, ``--name value``, or as the one word ``--name=value`` when the value begins with a dash,
so that no option parser takes it for an option. A list parameter's option is repeated. Called by the runtimes.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from swath.model.arguments import items, volume_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from swath.model.invocation import Invocation, Volume


def entrypoint_words(invocation: Invocation, folder: str, *, python: str | None = None) -> list[str]:
    """The entrypoint's words.

    Args:
        invocation: what runs.
        folder: the service's folder as the service will see it; words that are files of it are put behind it.
        python: stands for a first word ``python`` or ``python3``; None: as it is.
    """
    first, *others = invocation.service.entrypoint
    if python is not None and first in {"python", "python3"}:
        return [python, *(_service_file(word, invocation.folder, folder) for word in others)]
    return [_service_file(word, invocation.folder, folder) for word in (first, *others)]


def argument_words(invocation: Invocation, volume_path: Callable[[Volume, str], str]) -> list[str]:
    """The arguments' words, in the invocation's order.

    Args:
        invocation: what runs.
        volume_path: the path, as the service will see it, of a volume and a path below it (may be empty).
    """
    parameters = {parameter.name: parameter for parameter in invocation.service.parameters}
    words: list[str] = []
    for name, value in invocation.arguments:
        for text in items(value):
            seen = _seen(text, invocation.volumes, volume_path) if parameters[name].is_path else text
            words += [f"--{name}={seen}"] if seen.startswith("-") else [f"--{name}", seen]
    return words


def host_volume_path(volume: Volume, below: str) -> str:
    """The path of a volume on this machine, or its URL."""
    if volume.path.startswith(("http://", "https://")):
        return f"{volume.path.rstrip('/')}/{below}" if below else volume.path
    return str(PurePosixPath(volume.path, below))


def _seen(text: str, volumes: Mapping[str, Volume], volume_path: Callable[[Volume, str], str]) -> str:
    volume = volume_of(text)
    return volume_path(volumes[volume[0]], volume[1]) if volume else text


def _service_file(word: str, host_folder: Path, folder: str) -> str:
    is_file = word and not word.startswith(("/", "-")) and (host_folder / word).is_file()
    return str(PurePosixPath(folder, word)) if is_file else word
