"""The tag of a service's image: what is in its folder, and which tool layer is added.

    <12 hex of the folder's Git tree, without what .dvcignore takes out>-t<tool layer>[-a<8 hex of changed arguments>]

Equal contents have equal tags on every machine, whatever the history is, and whatever modes a checkout has; an image is
looked up by its tag, never compared with dvc.lock. Called by `execute/image.py` and, through it, by `images/`.

Source: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects (blobs and trees), read 2026-11-22.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Final

from swath.load.git_files import LINK, service_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from swath.load.git_files import GitFile

TOOL_LAYER: Final = 1  # of /opt/swath in an image; another number makes new images of all services
NO_TOOL_LAYER: Final = 0  # images that are made and used on one machine have none
_FOLDER_MODE: Final = 0o40000


def content_tag(
    folder: Path, root: Path, *, tool_layer: int = TOOL_LAYER, arguments: Mapping[str, str] | None = None
) -> str:
    """The tag of the image that is built from a folder.

    Args:
        folder: the service's folder.
        root: the repository's root, whose .dvcignore counts.
        tool_layer: the version of the tool layer; 0: the image has none.
        arguments: build arguments that do not stand in the folder's service.yaml.
    """
    return tag_of(folder, service_files(folder, root), tool_layer=tool_layer, arguments=arguments)


def tag_of(
    folder: Path, files: Iterable[GitFile], *, tool_layer: int = TOOL_LAYER, arguments: Mapping[str, str] | None = None
) -> str:
    """The tag of the image that is built from these files of a folder; see `content_tag`."""
    tag = f"{tree_hash(folder, files)[:12]}-t{tool_layer}"
    if not arguments:
        return tag
    document = json.dumps(sorted(arguments.items())).encode()
    return f"{tag}-a{hashlib.sha256(document).hexdigest()[:8]}"


def with_tool_layer(tag: str) -> str:
    """The tag that an image of this machine's, which has no tool layer, would have in CI."""
    return tag.replace(f"-t{NO_TOOL_LAYER}", f"-t{TOOL_LAYER}", 1)


def tree_hash(folder: Path, files: Iterable[GitFile]) -> str:
    """The id, 40 hex digits, that Git gives a folder with these files."""
    tree: _Tree = {}
    for file in files:
        *parents, name = file.path.split("/")
        level = tree
        for parent in parents:
            below = level.setdefault(parent, {})
            level = below if isinstance(below, dict) else {}
        level[name] = (file.mode, _blob(folder / file.path, file.mode))
    return _tree_id(tree).hex()


_Tree = dict[str, "tuple[int, bytes] | _Tree"]


def _tree_id(tree: _Tree) -> bytes:
    entries: list[tuple[bytes, int, bytes]] = []
    for name, entry in tree.items():
        mode, digest = (_FOLDER_MODE, _tree_id(entry)) if isinstance(entry, dict) else entry
        entries.append((os.fsencode(name), mode, digest))
    entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == _FOLDER_MODE else b""))
    return _object(b"tree", b"".join(b"%o %s\0%s" % (mode, name, digest) for name, mode, digest in entries))


def _blob(file: Path, mode: int) -> bytes:
    return _object(b"blob", os.fsencode(os.readlink(file)) if mode == LINK else file.read_bytes())


def _object(kind: bytes, data: bytes) -> bytes:
    return hashlib.sha1(kind + b" " + str(len(data)).encode() + b"\0" + data, usedforsecurity=False).digest()
