"""Fetch one scene and bring it to the form that the workflow reads: scene.tif, clouds.tif, item.json in a folder.

Whatever the source, `reflectance = number / 10000`, 0 is no data, and bands have their names. The catalogue's
word on the offset is tested against the numbers themselves. Format: docs/reference/scene-format.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

import numpy as np
import rasterio
import rasterio.errors
from fetch import Digest, DownloadError, PassingError, checksum, fetch, is_url, joined, path_below, verified
from grid import Box, FilePerBand, Grid, OneFile, on_grid, opened
from hub import explained, gdal_name, settings, signed
from numpy.typing import NDArray
from radiometry import CHECK_BANDS, L1C_BANDS, Check, Numbers, bands_of, checked_offset, to_reflectance
from rasterio.enums import Resampling
from rasterio.warp import transform_bounds
from rasterio.windows import Window

EXIT_PASSING = 75
CLEAR, CLOUD, OUTSIDE = 0, 1, 255
CLOUDY_SCL = (3, 8, 9, 10)
"""Scene classification of L2A: cloud shadow, cloud of medium and of high probability, thin cirrus."""
STRIP_ROWS = 512
CACHE_MB = 256
"""GDAL's cache decides in which order blocks are written, so it has one size everywhere."""
MASKS = ("clouds", "scl")


class Bands(Protocol):
    """A scene's bands on one grid."""

    grid: Grid
    names: tuple[str, ...]
    tags: dict[str, str]

    def read(self, window: Window) -> Numbers: ...  # noqa: D102 - see grid.py

    def sample(self, wanted: tuple[str, ...]) -> dict[str, Numbers]: ...  # noqa: D102 - see grid.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the search found out about a scene.

    Attributes:
        assets: where each file is, from `base`.
        digests: their checksums, as far as known.
        offset: what the catalogue says must be added to the numbers.
    """

    id: str
    backend: str
    datetime: str
    cloud_cover: float
    level: str
    baseline: str
    offset: int
    simulated: bool
    base: str
    assets: dict[str, str]
    digests: dict[str, Digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to make of it: bands and a box in degrees; None: all."""

    bands: tuple[str, ...] | None
    bbox: Box | None


def pairs(text: str) -> dict[str, str]:
    """`NAME=VALUE,NAME=VALUE` as a dict; `none` is empty."""
    if text == "none":
        return {}
    parts = [part.partition("=") for part in text.split(",")]
    if any(not name or not value for name, _, value in parts):
        raise DownloadError(f"{text!r} must be NAME=VALUE, joined by commas")
    return {name: value for name, _, value in parts}


def mask_name(assets: Mapping[str, str]) -> str | None:
    """The asset that says where clouds are, the plainer one first."""
    return next((name for name in MASKS if name in assets), None)


def needed_assets(scene: Scene, wish: Wish) -> dict[str, str]:
    """The assets that are read: the image or the wanted bands, what the offset's check needs, and one mask."""
    if "product" in scene.assets:
        raise DownloadError(f"{scene.id}: is a whole product of a DHuS hub; the service download-dhus fetches it")
    mask = mask_name(scene.assets)
    masks = {mask: scene.assets[mask]} if mask else {}
    if "image" in scene.assets:
        return {"image": scene.assets["image"]} | masks
    wanted = wish.bands or L1C_BANDS
    bands = {name: href for name, href in scene.assets.items() if name in wanted}
    if not bands:
        has = ", ".join(sorted(scene.assets.keys() & set(L1C_BANDS))) or "none"
        raise DownloadError(f"{scene.id}: has none of the bands asked for ({', '.join(wanted)}); it has {has}")
    check = {name: href for name, href in scene.assets.items() if name in CHECK_BANDS}
    return bands | check | masks


@contextmanager
def sources(scene: Scene, wish: Wish, archive: str, options: argparse.Namespace) -> Iterator[dict[str, str]]:
    """What GDAL opens for each asset, verified where it is a file of an archive."""
    needed = needed_assets(scene, wish)
    if scene.backend == "stac":
        hrefs = {name: joined(scene.base, href) if scene.base != "." else href for name, href in needed.items()}
        addresses = {href: signed(href, options.sign_url) for href in hrefs.values()}
        with (
            rasterio.Env(**settings(list(addresses), options.retry_wait)),
            explained(list(addresses), addresses),
        ):
            yield {name: gdal_name(addresses[href]) for name, href in hrefs.items()}
        return
    base = archive if scene.base == "." else scene.base
    if base == "none":
        raise DownloadError("--backend archive needs --archive, a folder or an address")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("SWATH_SCRATCH") or temporary)
        found: dict[str, str] = {}
        for name, href in needed.items():
            digest = scene.digests.get(name)
            if is_url(base) or is_url(href):
                path = fetch(joined(base, href), folder / f"{name}.tif", digest, options.retry_wait)
            else:
                path = verified(path_below(Path(base), href), href, digest)
            found[name] = str(path)
        yield found


def open_bands(scene: Scene, wish: Wish, names: dict[str, str], files: ExitStack) -> Bands:
    """The wanted bands, in the usual order."""
    order = tuple(band for band in bands_of(scene.level) if not wish.bands or band in wish.bands)
    if "image" in names:
        bands: Bands = OneFile(names["image"], order, wish.bbox, files)
    else:
        bands = FilePerBand({name: path for name, path in names.items() if name not in MASKS}, order, wish.bbox, files)
    if not bands.names:
        raise DownloadError(f"{scene.id}: none of its bands is described as one of {', '.join(order)}")
    return bands


def mask_reader(names: dict[str, str], grid: Grid, files: ExitStack) -> rasterio.DatasetReader | None:
    """The cloud mask or scene classification on the grid, never interpolated."""
    name = mask_name(names)
    if name is None:
        return None
    nodata = OUTSIDE if name == "clouds" else 0
    return on_grid(opened(names[name], files), grid, Resampling.nearest, nodata, files)


def clouds_of(values: NDArray[np.uint8], kind: str | None) -> NDArray[np.uint8]:
    """0 clear, 1 cloud or its shadow, 255 not known."""
    if kind == "scl":
        return np.where(values == 0, OUTSIDE, np.isin(values, CLOUDY_SCL)).astype(np.uint8)
    return np.where((values == CLEAR) | (values == CLOUD), values, OUTSIDE).astype(np.uint8)


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


def attribution(scene: Scene, source: dict[str, str]) -> str:
    """The line that must travel with the pixels: the source's own, else that of the Copernicus terms."""
    if "ATTRIBUTION" in source:
        return source["ATTRIBUTION"]
    if scene.simulated:
        return "Simulated scene"
    return f"Contains modified Copernicus Sentinel data [{scene.datetime[:4]}]"


def tags_of(scene: Scene, source: dict[str, str], offset: int, check: Check) -> dict[str, str]:
    """The tags of scene.tif; what calls itself simulated stays simulated, whatever a catalogue says."""
    simulated = scene.simulated or source.get("SIMULATED") == "yes"
    return {
        "SCENE_ID": scene.id,
        "ACQUISITION": scene.datetime,
        "LEVEL": scene.level,
        "PROCESSING_BASELINE": scene.baseline,
        "OFFSET_APPLIED": str(offset),
        "OFFSET_CHECK": check,
        "CLOUD_FRACTION": f"{scene.cloud_cover / 100:.4f}",
        "SIMULATED": "yes" if simulated else "no",
        "SCALE": "10000",
        "ATTRIBUTION": attribution(scene, source),
    }


def write_pixels(bands: Bands, names: dict[str, str], folder: Path, offset: int, tags: dict[str, str]) -> list[str]:
    """Write scene.tif, and clouds.tif where there is a mask, as `.part`; returns the files' names."""
    with ExitStack() as files:
        mask = mask_reader(names, bands.grid, files)
        scene = files.enter_context(new_raster(folder / "scene.tif.part", bands.grid, bands.names, "uint16", tags))
        clouds = None
        if mask is not None:
            about = {"SCENE_ID": tags["SCENE_ID"], "SIMULATED": tags["SIMULATED"]}
            clouds = files.enter_context(
                new_raster(folder / "clouds.tif.part", bands.grid, ("clouds",), "uint8", about)
            )
        for window in bands.grid.strips(STRIP_ROWS):
            numbers = to_reflectance(bands.read(window), offset)
            scene.write(numbers, window=window)
            if mask is not None and clouds is not None:
                known = clouds_of(mask.read(1, window=window), mask_name(names))
                clouds.write(np.where(numbers[0] == 0, OUTSIDE, known).astype(np.uint8), 1, window=window)
    return ["scene.tif"] if clouds is None else ["scene.tif", "clouds.tif"]


def item_of(scene: Scene, bands: Bands, tags: dict[str, str], made: list[Path]) -> dict[str, object]:
    """The STAC item of the result: where it comes from and what was done."""
    grid = bands.grid
    west, south, east, north = (
        round(value, 7) for value in transform_bounds(grid.crs, "EPSG:4326", *grid.bounds, densify_pts=21)
    )
    roles = {"scene.tif": ["data", "reflectance"], "clouds.tif": ["cloud"]}
    assets: dict[str, dict[str, object]] = {
        path.name.split(".")[0]: {
            "href": path.name.removesuffix(".part"),
            "type": "image/tiff; application=geotiff",
            "roles": roles[path.name.removesuffix(".part")],
            "file:size": path.stat().st_size,
            "file:checksum": "d50110" + checksum(path, "md5"),
        }
        for path in made
    }
    assets["scene"]["raster:bands"] = [
        {"name": name, "nodata": 0, "scale": 0.0001, "offset": 0} for name in bands.names
    ]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/schema.json"
            for name in ("eo/v1.1.0", "file/v2.1.0", "projection/v2.0.0", "raster/v1.1.0")
        ],
        "id": scene.id,
        "bbox": [west, south, east, north],
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
        },
        "properties": {
            "datetime": scene.datetime,
            "eo:cloud_cover": scene.cloud_cover,
            "proj:code": grid.crs.to_string(),
            "proj:shape": [grid.height, grid.width],
            "proj:transform": list(grid.transform)[:6],
            "swath:tags": tags,
            "swath:source": {
                "backend": scene.backend,
                "base": scene.base,
                "assets": scene.assets,
                "digests": {name: f"{one.algorithm}:{one.value}:{one.size}" for name, one in scene.digests.items()},
                "digests_compared": scene.backend == "archive" and bool(scene.digests),
                "offset_stated": scene.offset,
            },
        },
        "links": [],
        "assets": assets,
    }


def download(scene: Scene, wish: Wish, archive: str, out: Path, options: argparse.Namespace) -> None:
    """Fetch, convert, write the folder; whatever goes wrong, no file of ours is left in it."""
    made = [out / f"{name}.part" for name in ("scene.tif", "clouds.tif", "item.json")]
    out.mkdir(parents=True, exist_ok=True)
    try:
        with sources(scene, wish, archive, options) as names, ExitStack() as files:
            bands = open_bands(scene, wish, names, files)
            offset, check = checked_offset(bands.sample(CHECK_BANDS), scene.offset)
            if check == "corrected":
                print(
                    f"{scene.id}: the catalogue says offset {scene.offset}, the numbers say {offset}", file=sys.stderr
                )
            tags = tags_of(scene, bands.tags, offset, check)
            written = write_pixels(bands, names, out, offset, tags)
        item = item_of(scene, bands, tags, [out / f"{name}.part" for name in written])
        (out / "item.json.part").write_text(json.dumps(item, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (out / "clouds.tif").unlink(missing_ok=True)
        for name in (*written, "item.json"):
            (out / f"{name}.part").replace(out / name)
    finally:
        for path in made:
            path.unlink(missing_ok=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="download", description="Fetch one scene and bring it to the common form.")
    result.add_argument("--archive", default="none", help="folder or address of the archive")
    result.add_argument("--backend", choices=("archive", "stac", "dhus"), default="archive")
    for name in ("id", "datetime", "assets"):
        result.add_argument(f"--{name}", required=True)
    result.add_argument("--cloud-cover", type=float, default=0.0, help="per cent")
    result.add_argument("--level", choices=("L1C", "L2A"), default="L1C")
    result.add_argument("--baseline", default="none")
    result.add_argument("--offset", type=int, default=0)
    result.add_argument("--simulated", choices=("yes", "no"), default="no")
    result.add_argument("--base", default=".")
    result.add_argument("--digests", default="none")
    result.add_argument("--bbox", type=float, action="append", help="west, south, east, north in degrees")
    result.add_argument("--bands", action="append", choices=L1C_BANDS)
    result.add_argument("--sign-url", help="sign all addresses here (default: Planetary Computer's only)")
    wait_s = float(os.environ.get("SWATH_RETRY_WAIT_S", "1"))
    result.add_argument("--retry-wait", type=float, default=wait_s, help="seconds before the first new attempt")
    result.add_argument("--out", type=Path, required=True)
    return result


def box_of(numbers: list[float] | None) -> Box | None:
    """The box, checked."""
    if not numbers:
        return None
    if len(numbers) != 4 or numbers[0] >= numbers[2] or numbers[1] >= numbers[3]:
        raise DownloadError("--bbox needs four numbers: west, south, east, north, in degrees")
    return (numbers[0], numbers[1], numbers[2], numbers[3])


def scene_of(options: argparse.Namespace) -> Scene:
    """The scene in the command line."""
    if options.backend == "dhus":
        raise DownloadError("--backend dhus is the service download-dhus (sentinelsat, GPL)")
    return Scene(
        id=unquote(options.id), backend=options.backend, datetime=options.datetime, cloud_cover=options.cloud_cover,
        level=options.level, baseline=options.baseline, offset=options.offset, simulated=options.simulated == "yes",
        base=options.base, assets=pairs(options.assets),
        digests={name: Digest.parse(text) for name, text in pairs(options.digests).items()},
    )  # fmt: skip


def main() -> int:
    """Read the arguments and fetch the scene."""
    options = parser().parse_args()
    try:
        scene = scene_of(options)
        wish = Wish(bands=tuple(options.bands) if options.bands else None, bbox=box_of(options.bbox))
        with rasterio.Env(GDAL_CACHEMAX=CACHE_MB):
            download(scene, wish, options.archive, options.out, options)
    except PassingError as error:
        print(f"download: {error}; try again later", file=sys.stderr)
        return EXIT_PASSING
    except (DownloadError, rasterio.errors.RasterioError) as error:
        print(f"download: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"download: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
