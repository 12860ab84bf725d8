"""Read bands of a scene from a STAC hub's GeoTIFFs: only the box, onto one 10 m grid; nothing is downloaded whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import numpy as np
import rasterio
import rasterio.errors
import rasterio.warp
import requests
from affine import Affine
from fetch import DownloadError, PassingError
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

PIXEL_M = 10.0
GDAL = {
    "GDAL_HTTP_MAX_RETRY": "5",
    "GDAL_HTTP_RETRY_DELAY": os.environ.get("SWATH_RETRY_WAIT_S", "1"),
    "GDAL_HTTP_TIMEOUT": "120",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "AWS_S3_ENDPOINT": os.environ.get("SWATH_S3_ENDPOINT", "eodata.dataspace.copernicus.eu"),
    "AWS_VIRTUAL_HOSTING": "FALSE",
}
SIGNING = "https://planetarycomputer.microsoft.com/api/sas/v1/sign"
CLOUDY_SCL = (3, 8, 9, 10)
"""Scene classification: cloud shadow, cloud medium, cloud high, thin cirrus (Sentinel-2 L2A product definition)."""


def signed(href: str) -> str:
    """The address with a short-lived signature where the store asks for one (Planetary Computer)."""
    if not (urlsplit(href).hostname or "").endswith(".blob.core.windows.net"):
        return href
    try:
        answer = requests.get(os.environ.get("SWATH_PC_SIGN_URL", SIGNING), params={"href": href}, timeout=60)
        answer.raise_for_status()
        return str(answer.json()["href"])
    except (requests.RequestException, ValueError, KeyError) as error:
        raise PassingError(f"no signature for {href}: {type(error).__name__}") from error


def gdal_name(href: str) -> str:
    """How GDAL opens an address."""
    href = signed(href)
    if href.startswith("s3://"):
        return "/vsis3/" + href.removeprefix("s3://")
    return "/vsicurl/" + href if "://" in href else href


def snapped_grid(dataset: rasterio.DatasetReader, bbox: tuple[float, ...] | None) -> tuple[Affine, int, int]:
    """The 10 m grid over the box, edges on multiples of 10 m: transform, height, width."""
    bounds = dataset.bounds
    if bbox:
        box = rasterio.warp.transform_bounds("EPSG:4326", dataset.crs, *bbox, densify_pts=21)
        bounds = (max(box[0], bounds[0]), max(box[1], bounds[1]), min(box[2], bounds[2]), min(box[3], bounds[3]))
    west, south = (np.floor(round(value / PIXEL_M, 6)) * PIXEL_M for value in bounds[:2])
    east, north = (np.ceil(round(value / PIXEL_M, 6)) * PIXEL_M for value in bounds[2:])
    if west >= east or south >= north:
        raise DownloadError("the box and the scene share no ground")
    return Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north), round((north - south) / PIXEL_M), round((east - west) / PIXEL_M)


def read_on_grid(name: str, crs: str, grid: tuple[Affine, int, int], resampling: Resampling) -> NDArray[np.uint16]:
    """One band on the grid, 0 outside."""
    transform, height, width = grid
    with rasterio.open(name) as dataset, WarpedVRT(
        dataset, crs=crs, transform=transform, height=height, width=width, resampling=resampling, src_nodata=0, nodata=0
    ) as view:
        return view.read(1).astype("uint16")


def read_bands(
    hrefs: Mapping[str, str], bbox: tuple[float, ...] | None
) -> tuple[dict[str, NDArray[np.uint16]], str, Affine]:
    """The bands (and `scl`) at `hrefs`, their coordinate system, and their common transform."""
    values: dict[str, NDArray[np.uint16]] = {}
    try:
        with rasterio.Env(**GDAL):
            finest = next((name for name in ("B02", "B03", "B04", "B08") if name in hrefs), next(iter(hrefs)))
            names = {name: gdal_name(href) for name, href in hrefs.items()}
            with rasterio.open(names[finest]) as dataset:
                crs = dataset.crs.to_string()
                grid = snapped_grid(dataset, bbox)
            for name, opened in names.items():
                method = Resampling.nearest if name == "scl" else Resampling.bilinear
                values[name] = read_on_grid(opened, crs, grid, method)
    except rasterio.errors.RasterioError as error:
        text = str(error).splitlines()[0]
        if any(code in text for code in ("401", "403", "404", "InvalidAccess", "AccessDenied")):
            raise DownloadError(f"the store refuses the file: {text}") from error
        raise PassingError(f"the store does not answer: {text}") from error
    return values, crs, grid[0]
