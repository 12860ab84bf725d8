# SPDX-License-Identifier: GPL-3.0-or-later
"""A product's bands on one grid of 10 m, edges on multiples of 10 m; 20 and 60 m bilinear, masks nearest."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import rasterio
from affine import Affine
from hub import HubError
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

PIXEL_M = 10
CLOUDY_SCL = (3, 8, 9, 10)  # cloud shadow, cloud of medium and of high probability, thin cirrus
OUTSIDE = 255

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where pixels lie."""

    crs: rasterio.CRS
    transform: Affine
    width: int
    height: int

    @property
    def bounds(self) -> Box:
        """Left, bottom, right, top, in metres."""
        return rasterio.transform.array_bounds(self.height, self.width, self.transform)  # type: ignore[no-any-return]

    def strips(self, rows: int) -> list[Window]:
        """Windows of the full width, top down."""
        return [Window(0, top, self.width, min(rows, self.height - top)) for top in range(0, self.height, rows)]


def grid_of(dataset: rasterio.DatasetReader, bbox: Box | None) -> Grid:
    """The grid over a raster, or over the box in degrees where the raster is."""
    if dataset.crs is None or not dataset.crs.is_projected:
        raise HubError(f"{dataset.name} has no coordinate system in metres")
    left, bottom, right, top = dataset.bounds
    if bbox:
        box = transform_bounds("EPSG:4326", dataset.crs, *bbox, densify_pts=21)
        left, bottom, right, top = max(left, box[0]), max(bottom, box[1]), min(right, box[2]), min(top, box[3])
    if left >= right or bottom >= top:
        raise HubError("the box and the scene share no ground")
    west, south = (math.floor(round(value / PIXEL_M, 6)) for value in (left, bottom))
    east, north = (math.ceil(round(value / PIXEL_M, 6)) for value in (right, top))
    transform = Affine(PIXEL_M, 0, west * PIXEL_M, 0, -PIXEL_M, north * PIXEL_M)
    return Grid(dataset.crs, transform, east - west, north - south)


def on_grid(path: str, grid: Grid, nodata: int, files: ExitStack, *, mask: bool) -> WarpedVRT:
    """A raster as seen on the grid; outside it is `nodata`."""
    dataset = files.enter_context(rasterio.open(path))
    coarse = dataset.res[0] > PIXEL_M * 1.5
    method = Resampling.bilinear if coarse and not mask else Resampling.nearest
    view = WarpedVRT(
        dataset, crs=grid.crs, transform=grid.transform, width=grid.width, height=grid.height, resampling=method,
        src_nodata=nodata, nodata=nodata,
    )  # fmt: skip
    return files.enter_context(view)


def to_reflectance(numbers: NDArray[np.uint16], offset: int) -> NDArray[np.uint16]:
    """(N, H, W) with reflectance = number / 10000; 0 is no data, in all bands where most have none, else at least 1."""
    absent = (numbers == 0).sum(axis=0) * 2 > numbers.shape[0]
    shifted = np.clip(numbers.astype(np.int32) + offset, 1, np.iinfo(np.uint16).max)
    return np.where(absent, 0, shifted).astype(np.uint16)


def clouds_from_scl(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """0 clear, 1 cloud or its shadow, 255 no data, from a scene classification."""
    return np.where(values == 0, OUTSIDE, np.isin(values, CLOUDY_SCL)).astype(np.uint8)


def clouds_from_classification(opaque: NDArray[np.uint8], cirrus: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """0 clear, 1 cloud, from the masks of an L1C product."""
    return ((opaque == 1) | (cirrus == 1)).astype(np.uint8)
