"""Write the STAC catalogue of a folder of scenes: one JSON with checksums, sizes, footprints and cloud cover.

    python catalogue.py --archive FOLDER --out catalogue.json

A scene is a GeoTIFF whose band descriptions are Sentinel-2 band names; other rasters (labels, masks) are left out. A mask
`X.clouds.tif` beside `X.tif` belongs to it. GeoPackage and GeoJSON files are ground truth for the scenes that they touch.
The result holds paths from the folder only, and the same folder gives the same bytes. Checksums are remembered between
calls in the user's cache folder, by size and time of each file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

import numpy as np
import rasterio
import rasterio.errors
import rasterio.warp
from numpy.typing import NDArray

Json = dict[str, object]
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("eo/v1.1.0", "file/v2.1.0", "projection/v2.0.0", "raster/v1.1.0")
]
CLEAR_MASK, CLOUD_MASK = 0, 1
DOUBT = 0.3
"""If the brightness says this much more cloud than the producer, the producer's mask is not believed."""


class CatalogueError(Exception):
    """The folder cannot be described; the message says why and what to do."""


class Checksums:
    """MD5 of files, remembered in the user's cache folder; without one that can be written it just computes."""

    def __init__(self) -> None:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        self._path = Path(home) / "swath" / "catalogue.json"
        try:
            self._known: dict[str, list[object]] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            self._known = {}

    def of(self, path: Path) -> str:
        """The MD5 of a file, from memory if its size and time are as they were."""
        state = path.stat()
        key = str(path.resolve())
        known = self._known.get(key)
        if known and known[:2] == [state.st_size, state.st_mtime_ns]:
            return str(known[2])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        self._known[key] = [state.st_size, state.st_mtime_ns, digest]
        return digest

    def save(self) -> None:
        """Remember for the next call."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
            part.write_text(json.dumps(self._known))
            part.replace(self._path)
        except OSError:
            return


def asset(root: Path, path: Path, checksums: Checksums, role: str) -> Json:
    """What a catalogue says about a file. `file:checksum` is a multihash: d5 01 10 (MD5, 16 bytes) and the digest."""
    return {
        "href": quote(path.relative_to(root).as_posix(), safe="/._-+:"),
        "roles": [role],
        "file:size": path.stat().st_size,
        "file:checksum": "d50110" + checksums.of(path),
    }


def bright_share(values: NDArray[np.float64], names: list[str]) -> float:
    """The share of valid pixels that look like cloud: bright blue, and neither snow nor (in L1C) free of cirrus light."""
    band = {name: values[index] for index, name in enumerate(names)}
    valid = np.any(values > 0, axis=0)
    if "B02" not in band or not valid.any():
        return 0.0
    cloud = band["B02"] > 1250
    if {"B03", "B11"} <= band.keys():
        snow = (band["B03"] - band["B11"]) > 0.4 * np.maximum(band["B03"] + band["B11"], 1)
        cloud &= ~snow
    if "B10" in band:
        cloud &= band["B10"] > 15
    return float((cloud & valid).sum() / valid.sum())


def stated_share(tags: dict[str, str], mask: Path | None) -> tuple[float | None, str]:
    """Cloud share as the producer states it, and where: in a tag, else in the mask."""
    if "CLOUD_FRACTION" in tags:
        return float(tags["CLOUD_FRACTION"]), "tag"
    if mask is None:
        return None, "none"
    with rasterio.open(mask) as dataset:
        values = dataset.read(1)
    known = np.isin(values, (CLEAR_MASK, CLOUD_MASK))
    return (float((values == CLOUD_MASK).sum() / known.sum()), "mask") if known.any() else (None, "none")


def acquired(stem: str, tags: dict[str, str]) -> str:
    """The time of the scene, ISO 8601, from its tag or name."""
    found = re.search(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", tags.get("ACQUISITION", "")) or re.search(
        r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", stem
    )
    if found is None:
        raise CatalogueError(f"{stem}: no time of acquisition in its tag ACQUISITION or its name (YYYYMMDDTHHMMSS)")
    year, month, day, hour, minute, second = found.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"


def baseline_of(stem: str, tags: dict[str, str]) -> str | None:
    """The processing baseline, from a tag or from `_N0400_` in the name."""
    named = re.search(r"_N(\d\d)(\d\d)_", stem)
    return tags.get("PROCESSING_BASELINE") or (f"{named[1]}.{named[2]}" if named else None)


def scene_item(root: Path, path: Path, checksums: Checksums) -> Json | None:
    """The STAC item of a raster; None if it is no scene."""
    with rasterio.open(path) as dataset:
        names = [name or "" for name in dataset.descriptions]
        if len(names) < 2 or not set(names) <= set(BANDS):
            return None
        if dataset.crs is None:
            raise CatalogueError(f"{path.relative_to(root)}: has no coordinate system; georeference it first")
        tags = dataset.tags()
        step = max(1, max(dataset.shape) // 1024)
        values = dataset.read(out_shape=(len(names), -(-dataset.height // step), -(-dataset.width // step))).astype("float64")
        bounds = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds, densify_pts=21)
        grid = (dataset.crs.to_epsg(), list(dataset.shape), [float(value) for value in dataset.transform[:6]])
    baseline = baseline_of(path.stem, tags)
    offset = int(tags.get("RADIO_ADD_OFFSET", -1000 if baseline and baseline >= "04.00" else 0))
    mask: Path | None = path.with_name(path.stem + ".clouds.tif")
    mask = mask if mask is not None and mask.is_file() else None
    stated, source = stated_share(tags, mask)
    bright = bright_share(np.where(values > 0, values + offset, 0), names)
    if stated is None or bright - stated > DOUBT:
        share, source = bright, "brightness"
    else:
        share = stated
    west, south, east, north = (round(value, 7) for value in bounds)
    image = asset(root, path, checksums, "data")
    image["raster:bands"] = [{"name": name, "nodata": 0, "scale": 0.0001, "offset": offset / 10000} for name in names]
    assets = {"image": image} | (
        {"clouds": asset(root, mask, checksums, "cloud")} if mask and source != "brightness" else {}
    )
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": EXTENSIONS,
        "id": path.stem,
        "bbox": [west, south, east, north],
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
        },
        "properties": {
            "datetime": acquired(path.stem, tags),
            "eo:cloud_cover": round(share * 100, 2),
            "swath:cloud_cover_stated": None if stated is None else round(stated * 100, 2),
            "swath:cloud_cover_bright": round(bright * 100, 2),
            "swath:cloud_cover_from": source,
            "swath:level": "L2A" if "L2A" in tags.get("LEVEL", path.stem) else "L1C",
            "swath:offset": offset,
            "swath:simulated": tags.get("SIMULATED", "no") == "yes",
            "s2:processing_baseline": baseline,
            "proj:code": f"EPSG:{grid[0]}",
            "proj:shape": grid[1],
            "proj:transform": grid[2],
        },
        "links": [],
        "assets": assets,
    }


def truth_bounds(path: Path) -> tuple[float, float, float, float] | None:
    """West, south, east, north of a vector file in degrees; None if it has no features."""
    if path.suffix == ".gpkg":
        with sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True) as database:
            row = database.execute(
                "select min_x, min_y, max_x, max_y, srs_id from gpkg_contents where data_type = 'features' order by table_name"
            ).fetchone()
        if row is None or None in row:
            return None
        return tuple(rasterio.warp.transform_bounds(f"EPSG:{row[4]}", "EPSG:4326", *row[:4], densify_pts=21))
    document = json.loads(path.read_text())
    code = document.get("crs", {}).get("properties", {}).get("name", "EPSG:4326")
    system = "EPSG:4326" if "CRS84" in code else code
    points = [point for feature in document.get("features", []) for point in positions(feature["geometry"]["coordinates"])]
    if not points:
        return None
    x, y = [point[0] for point in points], [point[1] for point in points]
    return tuple(rasterio.warp.transform_bounds(rasterio.CRS.from_user_input(system), "EPSG:4326", min(x), min(y), max(x), max(y)))


def positions(coordinates: list[object]) -> list[list[float]]:
    """All points of a GeoJSON geometry."""
    if coordinates and isinstance(coordinates[0], int | float):
        return [coordinates]  # type: ignore[list-item]  # a position
    return [point for part in coordinates for point in positions(part)]  # type: ignore[arg-type]  # nested lists


def meet(first: list[float] | tuple[float, ...], second: list[float] | tuple[float, ...]) -> bool:
    """Whether two boxes share ground."""
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def attach_truth(root: Path, items: list[Json], files: list[Path], checksums: Checksums) -> None:
    """Add to each item the first vector file that touches it, as the asset `truth`."""
    for path in files:
        try:
            bounds = truth_bounds(path)
        except (ValueError, KeyError, TypeError, AttributeError, sqlite3.Error, rasterio.errors.RasterioError):
            bounds = None  # not a vector file that we can use
        if path.suffix in {".geojson", ".json"} and bounds is not None and not has_attributes(path):
            continue
        for item in items:
            if bounds is not None and meet(item["bbox"], bounds) and "truth" not in item["assets"]:  # type: ignore[arg-type, operator]  # built above
                item["assets"]["truth"] = asset(root, path, checksums, "labels")  # type: ignore[index]  # built above


def has_attributes(path: Path) -> bool:
    """Whether a GeoJSON file has features with properties, as ground truth has."""
    return any(feature.get("properties") for feature in json.loads(path.read_text())["features"])


def catalogue(root: Path) -> Json:
    """Describe all scenes below `root`, sorted by id."""
    if not root.is_dir():
        raise CatalogueError(f"{root}: no such folder; set SWATH_VOLUME_ARCHIVE or volumes.archive.path in swath.yaml")
    files = sorted(path for path in root.rglob("*") if path.is_file())
    checksums = Checksums()
    items: list[Json] = []
    for path in files:
        if path.suffix.lower() not in {".tif", ".tiff"} or path.name.endswith(".clouds.tif"):
            continue
        try:
            item = scene_item(root, path, checksums)
        except rasterio.errors.RasterioError as error:
            raise CatalogueError(f"{path.relative_to(root)}: cannot be read as a raster: {error}") from error
        if item is not None:
            items.append(item)
    names = [str(item["id"]) for item in items]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise CatalogueError(f"two files give the scene {twice[0]}; rename one")
    if not items:
        raise CatalogueError(f"{root}: no scene found; a scene is a GeoTIFF whose band descriptions are B01 ... B12")
    attach_truth(root, items, [path for path in files if path.suffix in {".gpkg", ".geojson"}], checksums)
    checksums.save()
    return {"type": "FeatureCollection", "stac_version": "1.0.0", "features": sorted(items, key=lambda item: str(item["id"]))}


def main() -> int:
    """Read the arguments and write the catalogue."""
    parser = argparse.ArgumentParser(description="Write the STAC catalogue of a folder of scenes.")
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        text = json.dumps(catalogue(arguments.archive), indent=1, sort_keys=True) + "\n"
    except CatalogueError as error:
        print(f"catalogue: {error}", file=sys.stderr)
        return 1
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    part = arguments.out.with_name(arguments.out.name + ".part")
    part.write_text(text)
    part.replace(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
