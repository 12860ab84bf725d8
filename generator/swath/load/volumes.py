"""Read `volumes` of swath.yaml: the places outside the repository that stages name and nobody hashes.

`swath exec` reads this key alone; `load/settings.py` reads the whole file with the same struct.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from swath.errors import FindingsError
from swath.load.typed_document import decode
from swath.model.invocation import Volume
from swath.model.settings import VolumeEntry, VolumeName
from swath.model.volumes import SETTINGS_FILE, volume_variable
from swath.schema.yaml12 import Document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SETTINGS_FILE", "read_volumes", "resolve_volumes", "volume_variable"]
_URL: Final = re.compile(r"https?://")


class _VolumesOnly(Struct, frozen=True):
    """swath.yaml without its other keys, which are not judged here."""

    volumes: dict[VolumeName, VolumeEntry] = {}


def read_volumes(root: Path, environment: Mapping[str, str]) -> dict[str, Volume]:
    """The repository's volumes by name, each with its path on this machine.

    Args:
        root: the repository's root.
        environment: where SWATH_VOLUME_NAME may override a path.

    Raises:
        UserError: swath.yaml is not YAML.
        FindingsError: its `volumes` are wrong.
    """
    try:
        text = (root / SETTINGS_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    if "volumes" not in text:
        return {}
    document = Document(text, SETTINGS_FILE)
    if not isinstance(document.value, dict):
        return {}
    settings, findings = decode(document, _VolumesOnly)
    if settings is None:
        relevant = [finding for finding in findings if finding.place.key.startswith("volumes")]
        raise FindingsError(relevant or findings)
    return resolve_volumes(settings.volumes, root, environment)


def resolve_volumes(
    entries: Mapping[str, VolumeEntry], root: Path, environment: Mapping[str, str]
) -> dict[str, Volume]:
    """The volumes of some entries with this machine's paths; a volume that has none yet has an empty path."""
    return {name: _volume(name, entry, root, environment) for name, entry in entries.items()}


def _volume(name: str, entry: VolumeEntry, root: Path, environment: Mapping[str, str]) -> Volume:
    path = environment.get(volume_variable(name)) or entry.path or ""
    if path and not _URL.match(path):
        path = str(root / path)
    return Volume(name, path, entry.read_only)
