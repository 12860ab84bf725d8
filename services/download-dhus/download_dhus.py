# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch one Sentinel-2 product from a DHuS hub and bring it to the form that the workflow reads.

The product's zip is verified by the hub's MD5; a download that broke off goes on where it stopped. The result is the
same as the service `download` writes: scene.tif, clouds.tif, item.json (docs/reference/scene-format.md). The account
comes from DHUS_USER and DHUS_PASSWORD.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import rasterio
import rasterio.errors
from grid import (
    OUTSIDE,
    Box,
    Grid,
    clouds_from_classification,
    clouds_from_scl,
    grid_of,
    on_grid,
    to_reflectance,
)
from hub import HubError, PassingError, connect, explained
from rasterio.warp import transform_bounds
from safe import BANDS, Product, unpack
from sentinelsat import SentinelAPI
from sentinelsat.exceptions import InvalidChecksumError

EXIT_PASSING = 75
STRIP_ROWS = 512
CACHE_MB = 256  # GDAL's cache decides in which order blocks are written, so it has one size everywhere
LONGEST_WAIT_S = 60


def fetch(api: SentinelAPI, uuid: str, folder: Path, retries: int) -> Path:
    """Download a product's zip; sentinelsat compares its MD5, and goes on with a part that is there."""
    for attempt in range(retries + 1):
        try:
            with explained(api.api_url.rstrip("/")):
                return Path(api.download(uuid, folder)["path"])
        except PassingError as error:
            waiting = isinstance(error.__cause__, InvalidChecksumError) or "does not answer" in str(error)
            if attempt == retries or not waiting:
                raise
            print(f"download-dhus: {error}; attempt {attempt + 2}", file=sys.stderr)
            time.sleep(min(LONGEST_WAIT_S, 2**attempt))
    raise AssertionError("unreachable")


def check_digest(path: Path, digests: str) -> None:
    """Compare with what the search knew: `product=ALGORITHM:HEX:BYTES`, or none."""
    if digests == "none":
        return
    algorithm, _, rest = digests.removeprefix("product=").partition(":")
    expected, _, size = rest.partition(":")
    if algorithm not in {"md5", "sha1", "sha256"}:
        raise HubError(f"--digests: {digests!r} is not product=ALGORITHM:HEX:BYTES")
    if str(path.stat().st_size) != size or checksum(path, algorithm) != expected.lower():
        raise HubError(f"{path.name} is not the file that the search saw: search again")


def checksum(path: Path, algorithm: str) -> str:
    """A file's digest, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def new_raster(
    path: Path, grid: Grid, names: tuple[str, ...], dtype: str, tags: dict[str, str]
) -> rasterio.io.DatasetWriter:
    """A GeoTIFF to write strips to, with names and tags already in it."""
    raster = rasterio.open(
        path, "w", driver="GTiff", dtype=dtype, count=len(names), width=grid.width, height=grid.height, crs=grid.crs,
        transform=grid.transform, nodata=0 if dtype == "uint16" else OUTSIDE, tiled=True, blockxsize=256,
        blockysize=256, compress="zstd", zstd_level=1, predictor=2, interleave="band", bigtiff="if_safer",
    )  # fmt: skip
    raster.update_tags(**tags)
    for index, name in enumerate(names, start=1):
        raster.set_band_description(index, name)
    return raster


def write_pixels(product: Product, bbox: Box | None, folder: Path, tags: dict[str, str]) -> tuple[Grid, list[str]]:
    """Write scene.tif, and clouds.tif where the product has a mask, as `.part`."""
    names = tuple(product.bands)
    with ExitStack() as files:
        finest = min(
            (files.enter_context(rasterio.open(path)) for path in product.bands.values()), key=lambda one: one.res[0]
        )
        grid = grid_of(finest, bbox)
        views = [on_grid(str(path), grid, 0, files, mask=False) for path in product.bands.values()]
        scene = files.enter_context(new_raster(folder / "scene.tif.part", grid, names, "uint16", tags))
        mask, clouds = None, None
        if source := product.scl or product.classification:
            mask = on_grid(str(source), grid, 0 if product.scl else OUTSIDE, files, mask=True)
            about = {"SCENE_ID": tags["SCENE_ID"], "SIMULATED": tags["SIMULATED"]}
            clouds = files.enter_context(new_raster(folder / "clouds.tif.part", grid, ("clouds",), "uint8", about))
        for window in grid.strips(STRIP_ROWS):
            raw = np.stack([view.read(1, window=window) for view in views]).astype(np.uint16)
            numbers = to_reflectance(raw, product.offset)
            scene.write(numbers, window=window)
            if mask is not None and clouds is not None:
                values = mask.read(window=window)
                known = clouds_from_scl(values[0]) if product.scl else clouds_from_classification(values[0], values[1])
                clouds.write(np.where(numbers[0] == 0, OUTSIDE, known).astype(np.uint8), 1, window=window)
    return grid, ["scene.tif"] if clouds is None else ["scene.tif", "clouds.tif"]


def tags_of(product: Product, options: argparse.Namespace) -> dict[str, str]:
    """The tags of scene.tif. The product's metadata decide on the offset; a search that said otherwise is corrected."""
    return {
        "SCENE_ID": unquote(options.id),
        "ACQUISITION": options.datetime,
        "LEVEL": product.level,
        "PROCESSING_BASELINE": product.baseline if product.baseline != "none" else options.baseline,
        "OFFSET_APPLIED": str(product.offset),
        "OFFSET_CHECK": "ok" if product.offset == options.offset else "corrected",
        "CLOUD_FRACTION": f"{options.cloud_cover / 100:.4f}",
        "SIMULATED": options.simulated,
        "SCALE": "10000",
        "ATTRIBUTION": f"Contains modified Copernicus Sentinel data [{options.datetime[:4]}]",
    }


def item_of(options: argparse.Namespace, grid: Grid, tags: dict[str, str], zip_md5: str, made: list[Path]) -> dict:
    """The STAC item of the result: where it comes from and what was done."""
    degrees = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds, densify_pts=21)
    west, south, east, north = (round(value, 7) for value in degrees)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    assets = {
        path.name.split(".")[0]: {
            "href": path.name.removesuffix(".part"),
            "type": "image/tiff; application=geotiff",
            "file:size": path.stat().st_size,
            "file:checksum": "d50110" + checksum(path, "md5"),
        }
        for path in made
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/schema.json"
            for name in ("eo/v1.1.0", "file/v2.1.0", "projection/v2.0.0")
        ],
        "id": tags["SCENE_ID"],
        "bbox": [west, south, east, north],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "datetime": options.datetime,
            "eo:cloud_cover": options.cloud_cover,
            "proj:code": grid.crs.to_string(),
            "proj:shape": [grid.height, grid.width],
            "proj:transform": list(grid.transform)[:6],
            "swath:tags": tags,
            "swath:source": {
                "backend": "dhus",
                "base": options.base,
                "assets": options.assets,
                "digests": {"product": f"md5:{zip_md5}"},
                "digests_compared": True,
                "offset_stated": options.offset,
            },
        },
        "links": [],
        "assets": assets,
    }


def download(options: argparse.Namespace) -> None:
    """Fetch, unpack, convert, write the folder; whatever goes wrong, no file of ours is left in it."""
    name, _, uuid = options.assets.partition("=")
    if name != "product" or not uuid or "," in uuid:
        raise HubError(f"--assets: {options.assets!r} is not product=UUID")
    bbox = box_of(options.bbox)
    api = connect(unquote(options.base), options.retries)
    made = [options.out / f"{one}.part" for one in ("scene.tif", "clouds.tif", "item.json")]
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            archive = fetch(api, uuid, Path(os.environ.get("SWATH_SCRATCH") or temporary), options.retries)
            check_digest(archive, options.digests)
            zip_md5 = checksum(archive, "md5")
            product = unpack(archive, Path(temporary), tuple(options.bands or BANDS))
            tags = tags_of(product, options)
            grid, written = write_pixels(product, bbox, options.out, tags)
        item = item_of(options, grid, tags, zip_md5, [options.out / f"{one}.part" for one in written])
        (options.out / "item.json.part").write_text(json.dumps(item, indent=1, ensure_ascii=False) + "\n", "utf-8")
        for one in (*written, "item.json"):
            (options.out / f"{one}.part").replace(options.out / one)
    finally:
        for path in made:
            path.unlink(missing_ok=True)
    print(f"{tags['SCENE_ID']}: {', '.join(product.bands)}, {grid.width} x {grid.height} px", file=sys.stderr)


def box_of(numbers: list[float] | None) -> Box | None:
    """The box, checked."""
    if not numbers:
        return None
    if len(numbers) != 4 or numbers[0] >= numbers[2] or numbers[1] >= numbers[3]:
        raise HubError("--bbox needs four numbers: west, south, east, north, in degrees")
    return (numbers[0], numbers[1], numbers[2], numbers[3])


def parser() -> argparse.ArgumentParser:
    """The command line; service.yaml says what each option is."""
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--archive", help="not read")
    result.add_argument("--backend", choices=("dhus",), default="dhus")
    for name in ("id", "datetime", "base", "assets"):
        result.add_argument(f"--{name}", required=True)
    result.add_argument("--cloud-cover", type=float, default=0.0)
    result.add_argument("--level", choices=("L1C", "L2A"), default="L1C")
    result.add_argument("--baseline", default="none")
    result.add_argument("--offset", type=int, default=0)
    result.add_argument("--simulated", choices=("yes", "no"), default="no")
    result.add_argument("--digests", default="none")
    result.add_argument("--bbox", type=float, action="append")
    result.add_argument("--bands", action="append", choices=BANDS)
    result.add_argument("--retries", type=int, default=4)
    result.add_argument("--out", type=Path, required=True)
    return result


def main() -> int:
    """Read the arguments and fetch the product."""
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_MB):
            download(parser().parse_args())
    except PassingError as error:
        print(f"download-dhus: {error}; try again later", file=sys.stderr)
        return EXIT_PASSING
    except (HubError, rasterio.errors.RasterioError, OSError) as error:
        print(f"download-dhus: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
