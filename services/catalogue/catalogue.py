"""Write the STAC catalogue of a folder of scenes that has none: checksums, footprints, cloud cover, ground truth.

The result is `catalogue.json` of docs/reference/scene-format.md: it holds paths relative to the folder and nothing of
the machine or the clock, so that the same folder gives the same bytes. `search --backend archive` reads it.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import rasterio.errors
from memory import Memory
from rasters import (
    RasterError,
    SceneFacts,
    baseline_of,
    level_of,
    mask_share,
    offset_of,
    read_scene,
    tagged_share,
    time_of,
)
from vectors import MEDIA_TYPES, VectorError, VectorFacts, meet, read_vector

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
TIFF = "image/tiff; application=geotiff"
SHA256_MULTIHASH = "1220"
CLOUDS_SUFFIX = ".clouds"
DOUBT = 0.3  # where a scene looks this much cloudier than its tag and mask say, they are not believed
EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("eo/v2.0.0", "file/v2.1.0", "processing/v1.2.0", "projection/v2.0.0")
]


@dataclass(slots=True)
class Archive:
    """A folder of scenes.

    Attributes:
        errors: what makes it unusable, a line each.
        remarks: what the user should know.
    """

    root: Path
    memory: Memory
    errors: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def name(self, path: Path) -> str:
        """The path from the archive, with `/`."""
        return path.relative_to(self.root).as_posix()

    def asset(self, path: Path, role: str, media_type: str) -> Json:
        """What the catalogue says about a file."""
        return {
            "href": quote(self.name(path), safe="/@+").replace("~", "%7E"),
            "type": media_type,
            "roles": [role],
            "file:size": path.stat().st_size,
            "file:checksum": SHA256_MULTIHASH + self.memory.digest(path),
        }


def files_below(root: Path) -> Iterator[Path]:
    """All files of a folder in a fixed order, without hidden ones and half-written ones."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith(".part"):
                yield Path(folder, name)


def cloud_cover(tag: float | None, mask: float | None, look: float | None) -> tuple[float, str]:
    """Share of clouds (0 to 1), and what it rests on.

    The greater of tag and mask, since masks miss clouds more often than they invent them; the pixels themselves where
    they look far cloudier than both, or where there is neither.
    """
    stated = max((share, name) for share, name in ((tag, "tag"), (mask, "mask"), (-1.0, "none")) if share is not None)
    if stated[0] < 0:
        return (look, "look") if look is not None else (0.0, "none")
    if look is not None and look - stated[0] > DOUBT:
        return look, "look"
    return stated


def properties_of(stem: str, facts: SceneFacts, mask: float | None) -> Json:
    """The properties of a scene's item."""
    tags = facts["tags"]
    tag = tagged_share(tags)
    share, used = cloud_cover(tag, mask, facts["look"])
    platform = re.search(r"(?:^|_)S(2[A-D])_", stem.upper())
    simulated = tags.get("SIMULATED", "no").strip().lower() in {"yes", "true", "1"}
    optional = {
        "platform": f"sentinel-{platform[1].lower()}" if platform and not simulated else None,
        "s2:processing_baseline": baseline_of(stem, tags),
        "swath:attribution": tags.get("ATTRIBUTION"),
    }
    return {
        "datetime": time_of(stem, tags),
        "eo:cloud_cover": round(100 * share, 2),
        "processing:level": level_of(stem, facts),
        ("proj:code" if facts["code"].startswith("EPSG:") else "proj:wkt2"): facts["code"],
        "proj:shape": facts["shape"],
        "proj:transform": facts["transform"],
        "swath:offset": offset_of(stem, tags),
        "swath:simulated": simulated,
        "swath:clouds": {"tag": tag, "mask": mask, "look": facts["look"], "used": used},
    } | {name: value for name, value in optional.items() if value}


def scene_item(archive: Archive, path: Path) -> Json | None:
    """The STAC item of a raster file; None if it is no scene."""
    facts: SceneFacts | None = archive.memory.recall(path, "scene", read_scene)
    if facts is None:
        return None
    mask = path.with_name(path.stem + CLOUDS_SUFFIX + path.suffix)
    has_mask = mask.is_file()
    share = archive.memory.recall(mask, "mask", mask_share) if has_mask else None
    properties = properties_of(path.stem, facts, share)
    clouds = properties["swath:clouds"]
    if clouds["used"] == "look" and (clouds["tag"], clouds["mask"]) != (None, None):
        archive.remarks.append(
            f"{archive.name(path)}: taken as {properties['eo:cloud_cover']} % cloud by its pixels; "
            f"tag {clouds['tag']}, mask {clouds['mask']}"
        )
    image = archive.asset(path, "data", TIFF) | {"bands": [{"name": name} for name in facts["bands"]]}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": EXTENSIONS,
        "id": path.stem,
        "bbox": facts["bounds"],
        "geometry": {"type": "Polygon", "coordinates": [facts["ring"]]},
        "properties": properties,
        "links": [],
        "assets": {"image": image} | ({"clouds": archive.asset(mask, "cloud", TIFF)} if has_mask else {}),
    }


def scene_items(archive: Archive, files: list[Path]) -> list[Json]:
    """The items of all scenes among `files`, by id; what is wrong goes to the archive's errors."""
    items: dict[str, tuple[Path, Json]] = {}
    for path in files:
        if path.suffix.lower() not in {".tif", ".tiff"} or path.stem.endswith(CLOUDS_SUFFIX):
            continue
        try:
            item = scene_item(archive, path)
        except (RasterError, rasterio.errors.RasterioError, OSError) as error:
            archive.errors.append(f"{archive.name(path)}: {' '.join(str(error).split())}")
            continue
        if item is None:
            archive.remarks.append(f"{archive.name(path)}: no scene (no uint16 raster with bands B01 ... B12)")
        elif path.stem in items:
            first = archive.name(items[path.stem][0])
            archive.errors.append(f"{archive.name(path)}: named as {first}; the name is the scene's id, rename one")
        else:
            items[path.stem] = (path, item)
    return [items[name][1] for name in sorted(items)]


def attach_truth(archive: Archive, items: list[Json], files: list[Path], pattern: str) -> None:
    """Add to each item the ground truth that touches it: of several vector files the one with most features."""
    sources: list[tuple[Path, VectorFacts]] = []
    for path in files:
        if path.suffix.lower() in MEDIA_TYPES and fnmatch.fnmatchcase(archive.name(path), pattern):
            try:
                facts = archive.memory.recall(path, "vector", read_vector)
            except (VectorError, OSError) as error:
                archive.remarks.append(f"{archive.name(path)}: not used as ground truth: {error}")
                continue
            if facts is not None:
                sources.append((path, facts))
    sources.sort(key=lambda source: (-source[1]["features"], source[0]))
    for item in items:
        for path, facts in sources:
            if meet(item["bbox"], facts["bounds"]):
                item["assets"]["truth"] = archive.asset(path, "truth", MEDIA_TYPES[path.suffix.lower()])
                break


def describe(archive: Archive, truth: str) -> Json:
    """The whole catalogue; without scenes or with errors it must not be used."""
    files = list(files_below(archive.root))
    items = scene_items(archive, files)
    attach_truth(archive, items, files, truth)
    if not items and not archive.errors:
        archive.errors.append("no scene in the archive; a scene is a GeoTIFF of uint16 with bands named B01 ... B12")
    return {"type": "FeatureCollection", "features": items}


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a neighbouring temporary file and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def summary(items: list[Json]) -> str:
    """One line for the user."""
    truth = sum("truth" in item["assets"] for item in items)
    simulated = sum(item["properties"]["swath:simulated"] for item in items)
    covers = ", ".join(f"{item['properties']['eo:cloud_cover']:g}" for item in items[:12])
    return f"{len(items)} scenes, {simulated} of them simulated, {truth} with ground truth; cloud cover {covers} %"


def main() -> int:
    """Read the arguments and write the catalogue."""
    parser = argparse.ArgumentParser(prog="catalogue", description="Write the STAC catalogue of a folder of scenes.")
    parser.add_argument("--archive", type=Path, required=True, help="the folder")
    parser.add_argument("--truth", default="*", help="which vector files are ground truth: a pattern of their paths")
    parser.add_argument("--out", type=Path, required=True, help="the catalogue to write")
    arguments = parser.parse_args()
    if not arguments.archive.is_dir():
        print(f"catalogue: {arguments.archive}: no such folder", file=sys.stderr)
        return 1
    archive = Archive(arguments.archive, Memory(arguments.archive))
    document = describe(archive, arguments.truth)
    archive.memory.save()
    for line in archive.errors or archive.remarks:
        print(f"catalogue: {line}", file=sys.stderr)
    if archive.errors:
        return 1
    try:
        write_atomically(arguments.out, json.dumps(document, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        print(f"catalogue: {arguments.out}: cannot be written: {error}", file=sys.stderr)
        return 1
    print(f"catalogue: {summary(document['features'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
