"""What one raster file says about itself: grid, bands, tags, masks, and how cloudy it looks.

`catalogue.py` makes STAC items of it. Nothing here depends on where the archive lies.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_bounds

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
BANDS_L2A = tuple(band for band in BANDS if band != "B10")
LOOK_EDGE_PX = 1024  # larger scenes are looked at in steps
CLOUD, NO_DATA = 1, 255
_TIME = re.compile(r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)(?!\d)")
_DAY = re.compile(r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)(?!\d)")


class SceneFacts(TypedDict):
    """What a scene's file says; JSON, so that it can be remembered between calls.

    Attributes:
        bands: names, in the file's order.
        tags: the file's own.
        code: `EPSG:…`, or WKT where the system has no number.
        bounds: west, south, east, north in degrees.
        ring: the four corners in degrees, counter-clockwise, the first one again at the end.
        look: share of the pixels with data that look like clouds; None where the bands do not tell.
    """

    bands: list[str]
    tags: dict[str, str]
    code: str
    shape: list[int]
    transform: list[float]
    bounds: list[float]
    ring: list[list[float]]
    look: float | None


class RasterError(Exception):
    """The file looks like a scene and cannot be one; the message says why and what to do."""


def band_names(raster: rasterio.DatasetReader) -> list[str] | None:
    """The Sentinel-2 bands of a raster; None if it is no scene (labels, masks, pictures)."""
    if raster.count < 2 or set(raster.dtypes) != {"uint16"}:
        return None
    described = [(text or "").strip().upper() for text in raster.descriptions]
    if any(described):
        return described if set(described) <= set(BANDS) and len(set(described)) == len(described) else None
    standard = {len(BANDS): BANDS, len(BANDS_L2A): BANDS_L2A}.get(raster.count)
    return list(standard) if standard else None


def read_scene(path: Path) -> SceneFacts | None:
    """Read a scene; None if the raster is none."""
    with rasterio.open(path) as raster:
        bands = band_names(raster)
        if bands is None:
            return None
        if raster.crs is None or raster.transform.is_identity:
            raise RasterError("the raster has no place on the ground (CRS and transform); georeference it first")
        number = raster.crs.to_epsg()
        left, bottom, right, top = raster.bounds
        x, y = transform_points(raster.crs, "EPSG:4326", [left, right, right, left], [bottom, bottom, top, top])
        ring = [[round(lon, 7), round(lat, 7)] for lon, lat in zip(x, y, strict=True)]
        tags = {name: text for name, text in raster.tags().items() if name != "AREA_OR_POINT"}
        return {
            "bands": bands,
            "tags": tags,
            "code": f"EPSG:{number}" if number else raster.crs.to_wkt(),
            "shape": [raster.height, raster.width],
            "transform": list(raster.transform)[:6],
            "bounds": [round(value, 7) for value in transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)],
            "ring": [*ring, ring[0]],
            "look": cloudy_look(raster, bands, offset_of(path.stem, tags)),
        }


def cloudy_look(raster: rasterio.DatasetReader, bands: list[str], offset: int) -> float | None:
    """Share of pixels that look like clouds.

    A cloud is white, brighter than soil and roofs mostly are, and not snow (which is dark at 1.6 µm); with the cirrus
    band, which sees nothing of the ground, thin clouds count as well. This is no cloud mask: it finds overcast scenes.
    """
    if not {"B02", "B04"} <= set(bands):
        return None
    step = max(1, -(-max(raster.height, raster.width) // LOOK_EDGE_PX))
    shape = (-(-raster.height // step), -(-raster.width // step))
    image = {
        name: raster.read(bands.index(name) + 1, out_shape=shape, resampling=Resampling.nearest).astype("float32")
        for name in ("B02", "B03", "B04", "B10", "B11")
        if name in bands
    }
    valid: NDArray[np.bool_] = (image["B02"] != 0) & (image["B02"] != raster.nodata)
    if not valid.any():
        return 0.0
    image = {name: values + offset for name, values in image.items()}
    blue, red = image["B02"], np.maximum(image["B04"], 1)
    cloud = (blue > 1800) & (blue > 0.7 * red) & (blue < 1.6 * red)
    if "B10" in image:
        cloud |= (blue > 1150) & (image["B10"] > 15)
    if {"B03", "B11"} <= image.keys():
        green, short_wave = image["B03"], image["B11"]
        cloud &= (green - short_wave) <= 0.4 * np.maximum(green + short_wave, 1)
    return round(float((cloud & valid).sum() / valid.sum()), 4)


def mask_share(path: Path) -> float | None:
    """Share of cloud in a mask (0 clear, 1 cloud, anything else unknown); None where it knows no pixel."""
    with rasterio.open(path) as raster:
        values = raster.read(1)
    known = np.isin(values, (0, CLOUD))
    return round(float((values[known] == CLOUD).mean()), 4) if known.any() else None


def time_of(stem: str, tags: dict[str, str]) -> str:
    """When the scene was taken, from its tag ACQUISITION or its name: `2015-07-11T10:00:08Z`."""
    for text in (tags.get("ACQUISITION", ""), stem):
        for pattern in (_TIME, _DAY):
            found = pattern.search(text)
            if found:
                try:
                    year, month, day, hour, minute, second = map(int, (*found.groups(), "0", "0", "0")[:6])
                    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
                except ValueError as error:
                    raise RasterError(f"{found[0]} is no date: {error}") from error
                return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    raise RasterError("no date; put it into the file's name (20150711T100008) or its tag ACQUISITION")


def baseline_of(stem: str, tags: dict[str, str]) -> str | None:
    """The processing baseline, such as `05.10`, from its tag or from `_N0510_` in the name; None: not known."""
    tagged = tags.get("PROCESSING_BASELINE", "").strip()
    if re.fullmatch(r"\d\d\.\d\d", tagged):
        return tagged
    named = re.search(r"_N(\d\d)(\d\d)(?:_|$)", stem)
    return f"{named[1]}.{named[2]}" if named else None


def offset_of(stem: str, tags: dict[str, str]) -> int:
    """What must be added to the file's numbers: as its tags say, else by its processing baseline."""
    for name in ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET"):
        if name in tags:
            values = set(re.split(r"[\s,;]+", tags[name].strip()))
            if len(values) > 1 or not re.fullmatch(r"-?\d+(\.0*)?", next(iter(values))):
                raise RasterError(f"the tag {name} is {tags[name]!r}; one whole number for all bands is needed")
            return int(float(next(iter(values))))
    return -1000 if (baseline_of(stem, tags) or "") >= "04.00" else 0


def level_of(stem: str, facts: SceneFacts) -> str:
    """`L1C` or `L2A`, from the tag LEVEL, the name, or whether there is a cirrus band."""
    for text in (facts["tags"].get("LEVEL", ""), stem):
        found = re.search(r"L1C|L2A", text.upper())
        if found:
            return found[0]
    return "L1C" if "B10" in facts["bands"] else "L2A"


def tagged_share(tags: dict[str, str]) -> float | None:
    """The tag CLOUD_FRACTION (0 to 1); None: there is none."""
    text = tags.get("CLOUD_FRACTION")
    if text is None:
        return None
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise RasterError(f"the tag CLOUD_FRACTION is {text!r}; it must be a number from 0 to 1")
    return share
