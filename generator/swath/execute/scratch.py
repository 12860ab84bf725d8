"""The folder that a stage keeps between its attempts, for checkpoints: SWATH_SCRATCH.

    <root>/.dvc/tmp/swath/scratch/<name>/           what the service puts there
    <root>/.dvc/tmp/swath/scratch/<name>.inputs     what it was begun with

A checkpoint is of use only for the same work. So the name comes from the command, and the folder is emptied when the
service's folder or an input has changed since (by size and time of each file: a false alarm costs a resumed epoch, the
opposite a wrong model). Used by `cli/exec.py`; the local runner, which knows the stage's hashes, has its own key.
"""

from __future__ import annotations

import os
from _blake2 import blake2b  # hashlib would load OpenSSL: 4 ms before every service
from typing import TYPE_CHECKING, Final

from swath.files.removal import remove
from swath.model.arguments import items, volume_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from swath.model.invocation import Invocation

SCRATCH_FOLDER: Final = ".dvc/tmp/swath/scratch"


def scratch_path(root: Path, wdir: str, words: Sequence[str]) -> Path:
    """The place of a command's scratch folder; makes nothing.

    Args:
        root: the repository's root.
        wdir: the working directory, from the root.
        words: the service's name and its arguments.
    """
    digest = blake2b("\0".join([wdir, *words]).encode(errors="surrogateescape"), digest_size=16).hexdigest()
    service = "".join(char for char in (words[0] if words else "") if char.isalnum() or char in "-_")
    return root / SCRATCH_FOLDER / f"{service}-{digest[:16]}"


def open_scratch(invocation: Invocation) -> bool:
    """Make the invocation's scratch folder, empty unless its content belongs to the same work.

    Returns:
        Whether an earlier attempt left something in it.
    """
    folder = invocation.scratch
    record = folder.with_name(f"{folder.name}.inputs")
    now = _inputs_digest(invocation)
    if folder.is_dir() and (not record.is_file() or record.read_text(encoding="ascii") != now):
        remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    record.write_text(now, encoding="ascii")
    return any(folder.iterdir())


def drop_scratch(invocation: Invocation) -> None:
    """Remove the invocation's scratch folder, after a success."""
    remove(invocation.scratch)
    remove(invocation.scratch.with_name(f"{invocation.scratch.name}.inputs"))


def _inputs_digest(invocation: Invocation) -> str:
    digest = blake2b(digest_size=16)
    for place in (str(invocation.folder), *_input_places(invocation)):
        for line in _listing(place):
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _input_places(invocation: Invocation) -> Iterator[str]:
    parameters = {parameter.name: parameter for parameter in invocation.service.parameters}
    for name, value in invocation.arguments:
        if parameters[name].is_path and parameters[name].direction == "input":
            for text in items(value):
                if volume_of(text) is None:
                    yield str(invocation.root / invocation.wdir / text)


def _listing(place: str) -> Iterator[str]:
    """Each file at or below a place, in a fixed order, with its size and time.

    As in DVC, a link to a file counts as the file, and folders behind links are not entered: what a service left behind
    may lead round in circles.
    """
    if os.path.isdir(place):
        with os.scandir(place) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir() and entry.is_symlink():
                    yield f"{entry.path}\0{os.readlink(entry.path)}\n"
                elif entry.name != "__pycache__":
                    yield from _listing(entry.path)
        return
    try:
        status = os.stat(place)
    except OSError:
        yield f"{place}\0\n"
    else:
        yield f"{place}\0{status.st_size}\0{status.st_mtime_ns}\n"
