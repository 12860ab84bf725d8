"""Fetch one scene and bring it to the form that the workflow reads: scene.tif, clouds.tif, item.json in a folder.

Whatever the source, `reflectance = number / 10000`, 0 is no data, band descriptions are the bands' names. The catalogue's
word on the radiometric offset is tested against the numbers themselves. Format: docs/reference/scene-format.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
import rasterio.errors
import rasterio.warp
import rasterio.windows
from affine import Affine
from fetch import Digest, DownloadError, PassingError, address, fetch
from hub import CLOUDY_SCL, read_bands
from numpy.typing import NDArray

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
PASSING = 75
OFFSET = -1000
OUTSIDE = 255
OffsetCheck = Literal["ok", "corrected", "undecided"]


@dataclass(frozen=True, slots=True)
class Raster:
    """Bands on one grid, as the source has them, and the cloud mask where there is one."""

    bands: dict[str, NDArray[np.uint16]]
    clouds: NDArray[np.uint8] | None
    crs: str
    transform: Affine


def pairs(text: str) -> dict[str, str]:
    """`NAME=VALUE,NAME=VALUE` as a dict; `none` is empty."""
    if text == "none":
        return {}
    parts = [part.partition("=") for part in text.split(",")]
    if any(not value for _, _, value in parts):
        raise DownloadError(f"{text!r}: must be NAME=VALUE, joined by commas")
    return {name: value for name, _, value in parts}


def digests_of(text: str) -> dict[str, Digest]:
    """The checksums by asset."""
    found = {}
    for name, value in pairs(text).items():
        algorithm, _, rest = value.partition(":")
        hexadecimal, _, size = rest.partition(":")
        if algorithm not in ("md5", "sha256") or not size.isdigit():
            raise DownloadError(f"{value!r}: must be md5:HEX:BYTES or sha256:HEX:BYTES")
        found[name] = Digest(algorithm, hexadecimal.lower(), int(size))
    return found


def window_of(dataset: rasterio.DatasetReader, bbox: tuple[float, ...] | None) -> rasterio.windows.Window:
    """The whole pixels of a raster that a box in degrees touches."""
    whole = rasterio.windows.Window(0, 0, dataset.width, dataset.height)
    if not bbox:
        return whole
    box = rasterio.warp.transform_bounds("EPSG:4326", dataset.crs, *bbox, densify_pts=21)
    window = rasterio.windows.from_bounds(*box, transform=dataset.transform)
    top, left = int(np.floor(max(window.row_off, 0))), int(np.floor(max(window.col_off, 0)))
    bottom = int(np.ceil(min(window.row_off + window.height, dataset.height)))
    right = int(np.ceil(min(window.col_off + window.width, dataset.width)))
    if top >= bottom or left >= right:
        raise DownloadError("the box and the scene share no ground")
    return rasterio.windows.Window(left, top, right - left, bottom - top)


def from_archive(arguments: argparse.Namespace, folder: Path) -> Raster:
    """Fetch the files of an archive, check them, read them."""
    digests = digests_of(arguments.digests)
    base = arguments.archive if arguments.base == "." else arguments.base
    local = {}
    for name, href in pairs(arguments.assets).items():
        local[name] = folder / f"{name}.tif"
        fetch(address(base, href), local[name], digests.get(name))
    bands: dict[str, NDArray[np.uint16]] = {}
    for name, path in local.items():
        if name == "clouds":
            continue
        with rasterio.open(path) as dataset:
            window = window_of(dataset, arguments.bbox)
            grid = dataset.crs.to_string(), dataset.window_transform(window)
            descriptions = dataset.descriptions if name == "image" else (name,)
            for index, band in enumerate(descriptions, start=1):
                if band in BANDS and (not arguments.bands or band in arguments.bands):
                    bands[str(band)] = dataset.read(index, window=window)
    if not bands:
        raise DownloadError(f"{arguments.id}: has none of the bands asked for")
    if len({values.shape for values in bands.values()}) > 1:
        raise DownloadError(f"{arguments.id}: its bands have different sizes; resample them to one grid first")
    clouds = None
    if "clouds" in local:
        with rasterio.open(local["clouds"]) as dataset:
            clouds = dataset.read(1, window=window_of(dataset, arguments.bbox)).astype("uint8")
    return Raster(bands, clouds, *grid)


def from_hub(arguments: argparse.Namespace) -> Raster:
    """Read only the box and the bands from a STAC hub."""
    hrefs = {
        name: href if arguments.base == "." else arguments.base + href
        for name, href in pairs(arguments.assets).items()
        if name == "scl" or (name in BANDS and (not arguments.bands or name in arguments.bands))
    }
    if not hrefs.keys() - {"scl"}:
        raise DownloadError(f"{arguments.id}: has none of the bands asked for")
    values, crs, transform = read_bands(hrefs, arguments.bbox)
    scl = values.pop("scl", None)
    clouds = None if scl is None else np.where(scl == 0, OUTSIDE, np.isin(scl, CLOUDY_SCL)).astype("uint8")
    return Raster(values, clouds, crs, transform)


def decide_offset(bands: dict[str, NDArray[np.uint16]], stated: int) -> tuple[int, OffsetCheck]:
    """The offset to add, tested against the numbers: catalogues are known to be wrong in both directions.

    With the offset still in them, no valid number lies clearly under 1000; with it already taken out, the red band of
    vegetation does (a reflectance of 0.03 is the number 300). Clouds, snow and deserts tell nothing.

    Returns:
        The offset to add, and whether the catalogue was right.
    """
    red, near = bands.get("B04"), bands.get("B08", bands.get("B8A"))
    if red is None or near is None:
        return stated, "undecided"
    valid = (red > 0) & (near > 0)
    if stated:
        plants = valid & (near.astype("int32") > 2 * red.astype("int32"))
        if plants.sum() >= 100 and (red[plants] < -stated * 0.8).mean() > 0.5:
            return 0, "corrected"
        return stated, "ok" if valid.any() and np.quantile(red[valid], 0.01) >= -stated * 0.8 else "undecided"
    if not valid.any():
        return stated, "undecided"
    lifted = (red.astype("int32") + OFFSET, near.astype("int32") + OFFSET)
    plants = valid & (lifted[1] > 3 * np.maximum(lifted[0], 1))
    lowest = min(int(np.quantile(values[valid], 0.001)) for values in bands.values())
    if lowest >= -OFFSET * 0.98 and plants.mean() > 0.05:
        return OFFSET, "corrected"
    return stated, "ok" if (red[valid] < -OFFSET).any() else "undecided"


def common_form(bands: dict[str, NDArray[np.uint16]], offset: int) -> NDArray[np.uint16]:
    """All bands in the usual order, offset added; 0 only where there is no data in any band, else at least 1."""
    order = [name for name in BANDS if name in bands]
    numbers = np.stack([bands[name] for name in order]).astype("int32")
    valid = (numbers > 0).any(axis=0)
    shifted = np.clip(numbers + offset, 1, 65535)
    return np.where(valid, shifted, 0).astype("uint16")


def write_raster(path: Path, values: NDArray[np.uint16] | NDArray[np.uint8], raster: Raster, names: list[str], tags: dict[str, str]) -> None:
    """Write a tiled GeoTIFF under a temporary name and rename it."""
    part = path.with_name(path.name + ".part")
    with rasterio.open(
        part, "w", driver="GTiff", dtype=values.dtype, count=len(names), height=values.shape[1], width=values.shape[2],
        crs=raster.crs, transform=raster.transform, nodata=0 if values.dtype == np.uint16 else OUTSIDE, tiled=True,
        blockxsize=256, blockysize=256, compress="zstd", zstd_level=1, predictor=2, interleave="band", bigtiff="if_safer",
    ) as dataset:  # fmt: skip
        dataset.write(values)
        dataset.update_tags(**tags)
        for index, name in enumerate(names, start=1):
            dataset.set_band_description(index, name)
    part.replace(path)


def attribution(arguments: argparse.Namespace) -> str:
    """The line that must travel with the data."""
    if arguments.simulated == "yes":
        return "Simulated scene; band statistics from modified Copernicus Sentinel data [2015]"
    return f"Contains modified Copernicus Sentinel data [{arguments.datetime[:4]}]"


def item_of(arguments: argparse.Namespace, raster: Raster, tags: dict[str, str], names: list[str], shape: tuple[int, int]) -> dict[str, object]:
    """The STAC item of the result: where it comes from and what was done."""
    height, width = shape
    corners = rasterio.transform.array_bounds(height, width, raster.transform)
    box = [round(value, 7) for value in rasterio.warp.transform_bounds(raster.crs, "EPSG:4326", *corners, densify_pts=21)]
    west, south, east, north = box
    assets: dict[str, object] = {"image": {"href": "scene.tif", "roles": ["data"], "bands": [{"name": name} for name in names]}}
    if raster.clouds is not None:
        assets["clouds"] = {"href": "clouds.tif", "roles": ["cloud"]}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": arguments.id,
        "bbox": box,
        "geometry": {"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]},
        "properties": {
            "datetime": arguments.datetime,
            "eo:cloud_cover": arguments.cloud_cover,
            "proj:code": raster.crs,
            "proj:shape": list(shape),
            "proj:transform": [float(value) for value in raster.transform[:6]],
            "swath:tags": tags,
            "swath:source": {
                "backend": arguments.backend,
                "base": arguments.base,
                "assets": pairs(arguments.assets),
                "digests": pairs(arguments.digests),
                "offset_stated": arguments.offset,
            },
        },
        "links": [],
        "assets": assets,
    }


def download(arguments: argparse.Namespace) -> None:
    """Fetch, convert, write the three files."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    scratch = os.environ.get("SWATH_SCRATCH")
    with tempfile.TemporaryDirectory(dir=arguments.out.parent) as temporary:
        folder = Path(scratch) if scratch else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        raster = from_hub(arguments) if arguments.backend == "stac" else from_archive(arguments, folder)
    offset, check = decide_offset(raster.bands, arguments.offset)
    if check == "corrected":
        print(f"download: {arguments.id}: the catalogue says offset {arguments.offset}, the numbers say {offset}", file=sys.stderr)
    numbers = common_form(raster.bands, offset)
    names = [name for name in BANDS if name in raster.bands]
    tags = {
        "SCENE_ID": arguments.id,
        "ACQUISITION": arguments.datetime,
        "LEVEL": arguments.level,
        "PROCESSING_BASELINE": arguments.baseline,
        "OFFSET_APPLIED": str(offset),
        "OFFSET_CHECK": check,
        "CLOUD_FRACTION": f"{arguments.cloud_cover / 100:.4f}",
        "SIMULATED": arguments.simulated,
        "SCALE": "10000",
        "ATTRIBUTION": attribution(arguments),
    }
    write_raster(arguments.out / "scene.tif", numbers, raster, names, tags)
    if raster.clouds is not None:
        clouds = np.where((numbers == 0).all(axis=0), OUTSIDE, raster.clouds).astype("uint8")
        write_raster(arguments.out / "clouds.tif", clouds[None], raster, ["clouds"], {"SCENE_ID": arguments.id})
    text = json.dumps(item_of(arguments, raster, tags, names, numbers.shape[1:]), indent=1, sort_keys=True) + "\n"
    part = arguments.out / "item.json.part"
    part.write_text(text)
    part.replace(arguments.out / "item.json")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(description="Fetch one scene.")
    for name, default in (("archive", "none"), ("level", "L1C"), ("baseline", "none"), ("base", "."), ("digests", "none")):
        result.add_argument(f"--{name}", default=default)
    for name in ("id", "datetime", "assets"):
        result.add_argument(f"--{name}", required=True)
    result.add_argument("--backend", choices=("archive", "stac"), default="archive")
    result.add_argument("--simulated", choices=("yes", "no"), default="no")
    result.add_argument("--cloud-cover", type=float, default=0)
    result.add_argument("--offset", type=int, default=0)
    result.add_argument("--bbox", type=float, action="append")
    result.add_argument("--bands", action="append", choices=BANDS)
    result.add_argument("--out", type=Path, required=True)
    return result


def main() -> int:
    """Read the arguments and fetch the scene."""
    arguments = parser().parse_args()
    try:
        if arguments.bbox and len(arguments.bbox) != 4:
            raise DownloadError("--bbox needs west, south, east, north")
        download(arguments)
    except (DownloadError, rasterio.errors.RasterioError) as error:
        print(f"download: {error}", file=sys.stderr)
        return 1
    except PassingError as error:
        print(f"download: {error}; try again later", file=sys.stderr)
        return PASSING
    return 0


if __name__ == "__main__":
    sys.exit(main())
