"""Rasters brought to one grid, read window by window.

A scene in one file keeps its own grid. A scene of one file per band gets a grid of 10 m, edges on multiples of 10 m.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import rasterio
from affine import Affine
from fetch import DownloadError
from numpy.typing import NDArray
from radiometry import Numbers
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

PIXEL_M = 10.0
SAMPLE_EDGE_PX = 512
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


def plain(name: str) -> str:
    """A raster's name without the signature of its address."""
    return name.removeprefix("/vsicurl/").partition("?")[0]


def opened(name: str, files: ExitStack) -> rasterio.DatasetReader:
    """An open raster, closed by `files`; it has to say where it lies."""
    dataset = files.enter_context(rasterio.open(name))
    if dataset.crs is None:
        raise DownloadError(f"{plain(name)}: has no coordinate system")
    return dataset


def box_in(crs: rasterio.CRS, bbox: Box) -> Box:
    """A box in degrees as the box around it in another system."""
    return transform_bounds("EPSG:4326", crs, *bbox, densify_pts=21)  # type: ignore[no-any-return]


def own_grid(dataset: rasterio.DatasetReader, bbox: Box | None) -> tuple[Grid, Window]:
    """A raster's grid, cut to the whole pixels that the box touches, and that window of the raster."""
    window = Window(0, 0, dataset.width, dataset.height)
    if bbox:
        wanted = rasterio.windows.from_bounds(*box_in(dataset.crs, bbox), transform=dataset.transform)
        left, top = (max(0, math.floor(round(value, 6))) for value in (wanted.col_off, wanted.row_off))
        right = min(dataset.width, math.ceil(round(wanted.col_off + wanted.width, 6)))
        bottom = min(dataset.height, math.ceil(round(wanted.row_off + wanted.height, 6)))
        if left >= right or top >= bottom:
            raise DownloadError("the box and the scene share no ground")
        window = Window(left, top, right - left, bottom - top)
    return Grid(dataset.crs, dataset.window_transform(window), window.width, window.height), window


def snapped_grid(dataset: rasterio.DatasetReader, bbox: Box | None) -> Grid:
    """The grid of 10 m over the box, where the scene has data; edges on multiples of 10 m."""
    if not dataset.crs.is_projected:
        raise DownloadError(f"{plain(dataset.name)}: is not in metres, so no grid of 10 m can be laid over it")
    left, bottom, right, top = dataset.bounds
    if bbox:
        box = box_in(dataset.crs, bbox)
        left, bottom, right, top = max(left, box[0]), max(bottom, box[1]), min(right, box[2]), min(top, box[3])
    west, south = (math.floor(round(value / PIXEL_M, 6)) for value in (left, bottom))
    east, north = (math.ceil(round(value / PIXEL_M, 6)) for value in (right, top))
    if left >= right or bottom >= top:
        raise DownloadError("the box and the scene share no ground")
    transform = Affine(PIXEL_M, 0, west * PIXEL_M, 0, -PIXEL_M, north * PIXEL_M)
    return Grid(dataset.crs, transform, east - west, north - south)


def on_grid(
    dataset: rasterio.DatasetReader, grid: Grid, resampling: Resampling, nodata: float, files: ExitStack
) -> rasterio.DatasetReader | WarpedVRT:
    """The raster as seen on a grid; outside it is `nodata`."""
    if (dataset.crs, dataset.width, dataset.height) == (
        grid.crs,
        grid.width,
        grid.height,
    ) and dataset.transform.almost_equals(grid.transform, precision=1e-6):
        return dataset
    view = WarpedVRT(
        dataset, crs=grid.crs, transform=grid.transform, width=grid.width, height=grid.height, resampling=resampling,
        src_nodata=nodata if dataset.nodata is None else dataset.nodata, nodata=nodata,
    )  # fmt: skip
    return files.enter_context(view)


def as_numbers(values: NDArray[np.generic], nodata: float | None) -> Numbers:
    """Integers of any width as uint16, the source's own no data as 0."""
    if not np.issubdtype(values.dtype, np.integer):
        raise DownloadError(f"its pixels are {values.dtype}; write reflectance * 10000 as uint16")
    clean = values if nodata is None else np.where(values == nodata, 0, values)
    return np.clip(clean, 0, np.iinfo(np.uint16).max).astype(np.uint16)


class OneFile:
    """All bands in one raster, on its own grid."""

    def __init__(self, name: str, wanted: tuple[str, ...], bbox: Box | None, files: ExitStack) -> None:
        self._dataset = opened(name, files)
        self.grid, self._window = own_grid(self._dataset, bbox)
        self._index = band_positions(self._dataset, wanted)
        self.names = tuple(band for band in wanted if band in self._index)
        self.tags: dict[str, str] = self._dataset.tags()

    def read(self, window: Window) -> Numbers:
        """The bands in a window of the grid, (N, H, W)."""
        shifted = Window(
            window.col_off + self._window.col_off, window.row_off + self._window.row_off, window.width, window.height
        )
        values = self._dataset.read([self._index[band] for band in self.names], window=shifted)
        return as_numbers(values, self._dataset.nodata)

    def sample(self, wanted: tuple[str, ...]) -> dict[str, Numbers]:
        """Some bands of the grid, thinned out."""
        shape = thinned(self.grid)
        return {
            band: as_numbers(
                self._dataset.read(self._index[band], window=self._window, out_shape=shape), self._dataset.nodata
            )
            for band in wanted
            if band in self._index
        }


class FilePerBand:
    """A raster per band, seen on one grid of 10 m; coarser bands are interpolated."""

    def __init__(self, names: dict[str, str], wanted: tuple[str, ...], bbox: Box | None, files: ExitStack) -> None:
        """Open `names`, the wanted bands and those that only `sample` is asked for."""
        datasets = {band: opened(name, files) for band, name in names.items()}
        finest = min(datasets.values(), key=lambda dataset: dataset.res[0])
        self.grid = snapped_grid(finest, bbox)
        self.names = tuple(band for band in wanted if band in datasets)
        self.tags: dict[str, str] = {}
        self._views = {band: on_grid(raster, self.grid, _method(raster), 0, files) for band, raster in datasets.items()}

    def read(self, window: Window) -> Numbers:
        """The bands in a window of the grid, (N, H, W)."""
        return np.stack([as_numbers(self._views[band].read(1, window=window), None) for band in self.names])

    def sample(self, wanted: tuple[str, ...]) -> dict[str, Numbers]:
        """Some bands of the grid, thinned out; sources with overviews are read there."""
        shape = thinned(self.grid)
        return {
            band: as_numbers(self._views[band].read(1, out_shape=shape), None) for band in wanted if band in self._views
        }


def _method(dataset: rasterio.DatasetReader) -> Resampling:
    return Resampling.bilinear if dataset.res[0] > PIXEL_M * 1.5 else Resampling.nearest


def thinned(grid: Grid) -> tuple[int, int]:
    """Rows and columns of a sample."""
    step = max(1, -(-max(grid.width, grid.height) // SAMPLE_EDGE_PX))
    return -(-grid.height // step), -(-grid.width // step)


def band_positions(dataset: rasterio.DatasetReader, bands: tuple[str, ...]) -> dict[str, int]:
    """Where each band is in a raster, by its description."""
    described = {(text or "").strip().upper(): index for index, text in enumerate(dataset.descriptions, start=1)}
    return {band: described[band] for band in bands if band in described}
