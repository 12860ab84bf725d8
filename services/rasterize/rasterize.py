"""Draw ground-truth polygons onto a scene's grid.

The vectors go to the raster's CRS, never the raster to theirs. A pixel gets the class whose polygon holds its
centre; where polygons lie over each other the smaller one is on top. Without a polygon a pixel is `IGNORE`.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.warp import transform_geom

IGNORE = 255  # no ground truth: not learnt from, not counted


@dataclass(frozen=True)
class Grid:
    """The pixels to fill: CRS, six transform numbers, height and width in pixels."""

    crs: str
    transform: rasterio.Affine
    height: int
    width: int


def read_grid(extent: dict[str, object]) -> Grid:
    """Return the grid that an extent document describes."""
    return Grid(extent["crs"], rasterio.Affine(*extent["transform"]), extent["height"], extent["width"])


def read_polygons(path: Path, attribute: str, layer: str | None) -> tuple[str | None, np.ndarray, np.ndarray]:
    """Return the layer's CRS, its geometries (N shapely objects) and their attribute (N integers)."""
    meta, _, wkb, columns = pyogrio.raw.read(path, layer=layer, columns=[attribute])
    if attribute not in meta["fields"]:
        fields = pyogrio.read_info(path, layer=layer)["fields"]
        raise SystemExit(f"{path}: no attribute {attribute!r}; it has {', '.join(fields)}")
    return meta["crs"], shapely.from_wkb(wkb), np.asarray(columns[0], dtype=int)


def to_grid(geometries: np.ndarray, crs: str | None, grid: Grid) -> np.ndarray:
    """Return the geometries in the grid's CRS, each made valid."""
    if crs is not None and rasterio.crs.CRS.from_user_input(crs) != rasterio.crs.CRS.from_user_input(grid.crs):
        mappings = [shapely.geometry.mapping(geometry) for geometry in geometries]
        geometries = np.array([shapely.geometry.shape(transform_geom(crs, grid.crs, one)) for one in mappings])
    return shapely.make_valid(geometries) if len(geometries) else geometries


def draw(geometries: np.ndarray, values: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the classes, shape (height, width) uint8, `IGNORE` where there is no polygon."""
    order = np.lexsort((np.arange(len(geometries)), -shapely.area(geometries))) if len(geometries) else []
    pairs = [(geometries[index], int(values[index])) for index in order if not geometries[index].is_empty]
    if not pairs:
        return np.full((grid.height, grid.width), IGNORE, dtype="uint8")
    return rasterize(
        pairs, (grid.height, grid.width), fill=IGNORE, transform=grid.transform, all_touched=False, dtype="uint8"
    )


def write_raster(path: Path, classes: np.ndarray, grid: Grid, tags: dict[str, str]) -> None:
    """Write (height, width) uint8 as a compressed GeoTIFF under a temporary name, and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part.tif")
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": IGNORE, "compress": "ZSTD", "zstd_level": 1}
    with rasterio.open(
        temporary, "w", **profile, crs=grid.crs, transform=grid.transform, height=grid.height, width=grid.width
    ) as raster:
        raster.write(classes, 1)
        raster.set_band_description(1, "class")
        raster.update_tags(**tags)
    os.replace(temporary, path)


def main() -> None:
    """Read the arguments and write the raster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True, help="vector file")
    parser.add_argument("--extent", type=Path, required=True, help="extent document of the scene")
    parser.add_argument("--attribute", default="class", help="integer attribute to draw")
    parser.add_argument("--layer", default="", help="layer of the vector file; empty: its first")
    parser.add_argument("--out", type=Path, required=True, help="GeoTIFF to write")
    arguments = parser.parse_args()

    extent = json.loads(arguments.extent.read_text(encoding="utf-8"))
    grid = read_grid(extent)
    crs, geometries, values = read_polygons(arguments.truth, arguments.attribute, arguments.layer or None)
    if len(values) and not (values.min() >= 0 and values.max() <= IGNORE):
        raise SystemExit(f"{arguments.truth}: {arguments.attribute} must lie between 0 and {IGNORE} for a uint8 raster")
    classes = draw(to_grid(geometries, crs, grid), values, grid)
    tags = {"SIMULATED": "yes" if extent["simulated"] else "no"}
    write_raster(arguments.out, classes, grid, tags)
    counts = {int(index): int(count) for index, count in zip(*np.unique(classes, return_counts=True), strict=True)}
    print(f"{len(geometries)} polygons; pixels per class: {counts}")


if __name__ == "__main__":
    main()
