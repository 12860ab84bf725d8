"""A made-up landscape: stands of forest types, open land, a village, a lake, as a raster and as polygons.

It lies on one grid (ETRS89-LAEA, 10 m) that covers both UTM zones, so that scenes of either zone see the same land.
`simulate.py` builds it once; `spectra.py` looks classes up in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio.features
import rasterio.warp
import shapely
import shapely.geometry
from affine import Affine
from noise import correlated, generator
from numpy.typing import NDArray

CRS = "EPSG:3035"
PIXEL_M = 10.0
STAND_M = 210.0
"""Mean edge of a stand."""
SMALLEST_M2 = 400.0
"""Smaller polygons are no stands but crumbs of the raster."""


@dataclass(frozen=True, slots=True)
class LandClass:
    """One row of the class table."""

    number: int
    name: str
    colour: str


CLASSES = (
    LandClass(1, "broadleaf", "#7fbf3f"),
    LandClass(2, "conifer", "#1b5e20"),
    LandClass(3, "mixed", "#4c8c4a"),
    LandClass(4, "grassland", "#d4e157"),
    LandClass(5, "cropland", "#ffcc80"),
    LandClass(6, "built-up", "#b71c1c"),
    LandClass(7, "water", "#1565c0"),
)
BROADLEAF, CONIFER, MIXED, GRASSLAND, CROPLAND, BUILT_UP, WATER = (entry.number for entry in CLASSES)


@dataclass(frozen=True, slots=True)
class Landscape:
    """The land.

    Attributes:
        stands: number of the stand at each cell.
        classes: class of each stand, by its number.
        transform: from cells to metres of `CRS`.
    """

    stands: NDArray[np.int32]
    classes: NDArray[np.uint8]
    transform: Affine

    def stands_at(self, east: NDArray[np.float64], north: NDArray[np.float64]) -> NDArray[np.int32]:
        """The numbers of the stands at points given in metres of `CRS`."""
        columns, rows = ~self.transform @ (east, north)
        height, width = self.stands.shape
        row = np.clip(np.floor(rows).astype(int), 0, height - 1)
        found: NDArray[np.int32] = self.stands[row, np.clip(np.floor(columns).astype(int), 0, width - 1)]
        return found


def nearest_seed(
    seeds: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.int32]:
    """For each cell the number of the nearest seed; only seeds of squares at most two away are compared.

    Args:
        seeds: (row, column) pairs, one in each square of `STAND_M`; first two axes are the squares.
        rows: row of each cell, may be bent off the grid.
        columns: column of each cell.
    """
    step = STAND_M / PIXEL_M
    down, across = seeds.shape[:2]
    square_row, square_column = (rows // step).astype(int), (columns // step).astype(int)
    nearest = np.zeros(rows.shape, dtype="int32")
    best = np.full(rows.shape, np.inf)
    for row_shift in range(-2, 3):
        for column_shift in range(-2, 3):
            row = np.clip(square_row + row_shift, 0, down - 1)
            column = np.clip(square_column + column_shift, 0, across - 1)
            distance = (rows - seeds[row, column, 0]) ** 2 + (columns - seeds[row, column, 1]) ** 2
            closer = distance < best
            best[closer] = distance[closer]
            nearest[closer] = (row * across + column)[closer]
    return nearest


def jittered_seeds(height: int, width: int, seed: int) -> NDArray[np.float64]:
    """One seed in each square of `STAND_M`, somewhere in it: (row, column) pairs, by rows and columns of squares."""
    step = STAND_M / PIXEL_M
    rows, columns = np.mgrid[0 : height / step, 0 : width / step]
    corners = np.stack([rows, columns], axis=2)
    return (corners + generator(seed, "seeds").random(corners.shape)) * step


def classes_of_seeds(seeds: NDArray[np.float64], height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Give each stand a class from slowly changing fields: where forest is, its type, the use of open land."""
    random = generator(seed, "classes")
    scale = int(STAND_M / PIXEL_M * 1.4)
    fields = correlated(generator(seed, "context"), (4, height, width), scale)
    rows = np.clip(seeds[:, 0].astype(int), 0, height - 1)
    columns = np.clip(seeds[:, 1].astype(int), 0, width - 1)
    forest, kind, use, wet = fields[:, rows, columns] + 0.45 * random.standard_normal((4, len(seeds)))
    classes = np.where(use > 0.1, CROPLAND, GRASSLAND)
    classes = np.where((use < -1.25) & (forest < 0.3), BUILT_UP, classes)
    types = np.where(kind > 0.45, BROADLEAF, np.where(kind < -0.45, CONIFER, MIXED))
    classes = np.where(forest > -0.2, types, classes)
    return np.where(wet > 1.9, WATER, classes).astype("uint8")


def make_landscape(bounds: tuple[float, float, float, float], seed: int) -> Landscape:
    """The land inside `bounds` (west, south, east, north in metres of `CRS`)."""
    west, south, east, north = bounds
    height, width = int((north - south) / PIXEL_M), int((east - west) / PIXEL_M)
    bend = 6 * correlated(generator(seed, "bend"), (2, height, width), 12)
    rows, columns = np.mgrid[0:height, 0:width].astype("float64")
    seeds = jittered_seeds(height, width, seed)
    return Landscape(
        stands=nearest_seed(seeds, rows + bend[0], columns + bend[1]),
        classes=classes_of_seeds(seeds.reshape(-1, 2), height, width, seed),
        transform=Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north),
    )


def truth_features(landscape: Landscape) -> list[dict[str, object]]:
    """The land as GeoJSON features in longitude and latitude; neighbours share smooth edges, as surveyed."""
    table = {entry.number: entry.name for entry in CLASSES}
    found = [
        (int(value), shapely.geometry.shape(geometry))
        for geometry, value in rasterio.features.shapes(landscape.stands, transform=landscape.transform)
    ]
    polygons = shapely.coverage_simplify([polygon for _, polygon in found], 12.0)
    degrees = shapely.transform(polygons, to_degrees)
    features: list[dict[str, object]] = []
    for (stand, _), metres, polygon in zip(found, polygons, degrees, strict=True):
        if metres.is_empty or metres.area < SMALLEST_M2:
            continue
        number = int(landscape.classes[stand])
        features.append(
            {
                "type": "Feature",
                "id": len(features) + 1,
                "properties": {"class_id": number, "class_name": table[number], "stand": stand},
                "geometry": shapely.geometry.mapping(polygon),
            }
        )
    return features


def to_degrees(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of `CRS` as longitude and latitude, to the centimetre."""
    longitude, latitude = rasterio.warp.transform(CRS, "EPSG:4326", points[:, 0], points[:, 1])
    return np.round(np.column_stack([longitude, latitude]), 7)
