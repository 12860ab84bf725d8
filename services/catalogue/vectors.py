"""Where a vector file lies and whether it can be ground truth: polygons with attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

if TYPE_CHECKING:
    from pathlib import Path

MEDIA_TYPES = {
    ".gpkg": "application/geopackage+sqlite3",
    ".geojson": "application/geo+json",
    ".fgb": "application/vnd.flatgeobuf",
    ".shp": "application/vnd.shp",
}


class VectorFacts(TypedDict):
    """What a vector file says; JSON, so that it can be remembered between calls.

    Attributes:
        bounds: west, south, east, north in degrees.
    """

    features: int
    bounds: list[float]


class VectorError(Exception):
    """The file cannot be used; the message says why."""


def read_vector(path: Path) -> VectorFacts | None:
    """Read where polygons with attributes lie; None if the file has none (lines, a bare outline)."""
    try:
        layers = [str(name) for name, _ in pyogrio.list_layers(path)]
        found = [facts for facts in (read_layer(path, layer) for layer in layers) if facts is not None]
    except (DataSourceError, DataLayerError, RasterioError, UnicodeDecodeError) as error:
        raise VectorError(" ".join(str(error).split())) from error
    return max(found, key=lambda facts: facts["features"], default=None)


def read_layer(path: Path, layer: str) -> VectorFacts | None:
    """As `read_vector`, for one layer."""
    info = pyogrio.read_info(path, layer=layer, force_feature_count=True, force_total_bounds=True)
    kind = info["geometry_type"] or "none"
    if not info["features"] or not len(info["fields"]) or info["total_bounds"] is None:
        return None
    if "Polygon" not in kind and (kind != "Unknown" or not has_polygons(path, layer)):
        return None
    if info["crs"] is None:
        raise VectorError("it does not say its coordinate system")
    bounds = transform_bounds(info["crs"], "EPSG:4326", *info["total_bounds"])
    return {"features": int(info["features"]), "bounds": [round(float(value), 7) for value in bounds]}


def has_polygons(path: Path, layer: str) -> bool:
    """Whether a layer of mixed geometries begins with polygons."""
    _, _, shapes, _ = pyogrio.raw.read(path, layer=layer, max_features=20, columns=[])
    kinds = {int.from_bytes(shape[1:5], "little" if shape[0] else "big") % 1000 & 0xFF for shape in shapes if shape}
    return bool(kinds & {3, 6})


def meet(first: list[float], second: list[float]) -> bool:
    """Whether two boxes share ground."""
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
