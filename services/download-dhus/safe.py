# SPDX-License-Identifier: GPL-3.0-or-later
"""A Sentinel-2 product in SAFE form: where its bands are, and what its metadata say of the numbers."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hub import HubError

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
IMAGE = re.compile(r"_(?P<band>B\d\d|B8A|SCL)(?:_(?P<size>10|20|60)m)?\.jp2$")
CLOUD_MASK = "MSK_CLASSI_B00.jp2"
QUANTIFICATION = 10_000
FIRST_BASELINE_WITH_OFFSET = "04.00"


@dataclass(frozen=True, slots=True)
class Product:
    """An unpacked product.

    Attributes:
        level: L1C or L2A.
        baseline: processing baseline, or none.
        offset: to add so that reflectance = number / 10000.
        bands: band → its file of the finest resolution.
        scl: scene classification of L2A.
        classification: cloud mask of L1C (bands: opaque clouds, cirrus, snow).
    """

    level: str
    baseline: str
    offset: int
    bands: dict[str, Path]
    scl: Path | None
    classification: Path | None


def unpack(archive: Path, folder: Path, bands: tuple[str, ...]) -> Product:
    """Unpack what is needed of a product's zip, and read its metadata.

    Raises:
        HubError: it is no zip, no Sentinel-2 product, or has none of the bands.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            names = [name for name in packed.namelist() if is_safe(name)]
            metadata = next((name for name in names if re.search(r"\.SAFE/MTD_MSIL(1C|2A)\.xml$", name)), None)
            if metadata is None:
                inside = sorted({PurePosixPath(name).parts[0] for name in names})[:3]
                raise HubError(f"{archive.name} is no Sentinel-2 product (L1C or L2A): it holds {', '.join(inside)}")
            images, masks = finest_images(names, bands)
            if not images:
                raise HubError(f"{archive.name} has none of the bands {', '.join(bands)}")
            files = {role: extracted(packed, name, folder) for role, name in {**images, **masks}.items()}
            level = "L1C" if metadata.endswith("1C.xml") else "L2A"
            root = ET.fromstring(packed.read(metadata))  # noqa: S314 - verified by the hub's checksum
            baseline, offset = radiometry(root, archive.name)
    except (zipfile.BadZipFile, ET.ParseError, EOFError) as error:
        raise HubError(f"{archive.name} cannot be unpacked: {error}") from error
    found = {band: files[band] for band in BANDS if band in images}
    return Product(level, baseline, offset, found, files.get("SCL"), files.get("clouds"))


def is_safe(name: str) -> bool:
    """Whether a name in a zip stays in the folder that it is unpacked to."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def finest_images(names: list[str], bands: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """The wanted bands' files at their finest resolution, and the masks': SCL, clouds."""
    images: dict[str, tuple[int, str]] = {}
    masks: dict[str, tuple[int, str]] = {}
    for name in sorted(names):
        if name.endswith(f"/QI_DATA/{CLOUD_MASK}"):
            masks["clouds"] = (60, name)
        match = IMAGE.search(name)
        if match is None or "/IMG_DATA/" not in name:
            continue
        kind, size = match["band"], int(match["size"] or 10)
        chosen = masks if kind == "SCL" else images
        if (kind == "SCL" or kind in bands) and size < chosen.get(kind, (1000, ""))[0]:
            chosen[kind] = (size, name)
    return {kind: name for kind, (_, name) in images.items()}, {kind: name for kind, (_, name) in masks.items()}


def extracted(packed: zipfile.ZipFile, name: str, folder: Path) -> Path:
    """A file of the zip, written flat into a folder; its checksum in the zip is checked."""
    path = folder / PurePosixPath(name).name
    with packed.open(name) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return path


def radiometry(root: ET.Element, name: str) -> tuple[str, int]:
    """The processing baseline, and the offset: what the product states, else what its baseline means."""
    texts: dict[str, list[str]] = {}
    for element in root.iter():
        texts.setdefault(element.tag.rpartition("}")[2], []).append((element.text or "").strip())
    baseline = next(iter(texts.get("PROCESSING_BASELINE", [])), "none")
    quantification = texts.get("QUANTIFICATION_VALUE", []) + texts.get("BOA_QUANTIFICATION_VALUE", [])
    if any(float(value) != QUANTIFICATION for value in quantification):
        raise HubError(f"{name}: its numbers are reflectance * {quantification[0]}, not {QUANTIFICATION}")
    stated = {int(float(value)) for value in texts.get("RADIO_ADD_OFFSET", []) + texts.get("BOA_ADD_OFFSET", [])}
    if len(stated) > 1:
        raise HubError(f"{name}: its bands have different offsets ({sorted(stated)})")
    if stated:
        return baseline, stated.pop()
    known = re.fullmatch(r"\d\d\.\d\d", baseline) is not None
    return baseline, -1000 if known and baseline >= FIRST_BASELINE_WITH_OFFSET else 0
