"""Features from a vector file that GDAL reads: GeoPackage, GeoJSON, Shapefile (also zipped), FlatGeobuf."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import shapely
from polygons import Features
from pyproj import CRS

if TYPE_CHECKING:
    from ground import Ground


def check_digest(path: Path, digest: str) -> None:
    """Compare a file with `ALGORITHM:HEX:BYTES`; `none` is not compared.

    Raises:
        SystemExit: another size or another content.
    """
    if digest == "none":
        return
    algorithm, _, rest = digest.partition(":")
    expected, _, size = rest.partition(":")
    if path.stat().st_size != int(size):
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, not the {size} of the catalogue: make it anew")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected:
        raise SystemExit(f"{path} has {algorithm} {found}, not the {expected} of the catalogue: make it anew")


def read_file(path: Path, layer: str, field: str, ground: Ground) -> Features:
    """Read the features in the scene's box.

    Args:
        layer: `none`: the only one that has the field.

    Raises:
        SystemExit: it cannot be read, or has no such layer, no such field, or no CRS.
    """
    try:
        chosen = choose_layer(path, layer, field)
        info = pyogrio.read_info(path, layer=chosen)
        if info["crs"] is None:
            raise SystemExit(f"{path}: layer {chosen!r} has no CRS, so nothing can be placed")
        crs = CRS.from_user_input(info["crs"])
        parts = [read_box(path, chosen, field, box, list(info["fields"])) for box in ground.boxes_in(crs)]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, shapely.errors.GEOSException) as error:
        raise SystemExit(f"{path} cannot be read as vectors: {error}") from error
    geometries = np.concatenate([part[0] for part in parts])
    values = [value for part in parts for value in part[1]]
    return Features(crs, geometries, values, [identifier for part in parts for identifier in part[2]]).unique()


def choose_layer(path: Path, layer: str, field: str) -> str:
    """The layer's name: the one asked for, or the only one with geometries and the field."""
    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if layer != "none":
        if layer not in layers:
            raise SystemExit(f"{path}: no layer {layer!r}; it has {', '.join(layers)}")
        layers = [layer]
    fields = {name: list(pyogrio.read_info(path, layer=name)["fields"]) for name in layers}
    having = [name for name in layers if field in fields[name]]
    if len(having) > 1:
        raise SystemExit(f"{path}: the layers {', '.join(having)} have a field {field!r}: name one by --layer")
    if not having:
        raise SystemExit(
            f"{path}: no field {field!r}; " + "; ".join(f"{name} has {', '.join(fields[name])}" for name in layers)
        )
    return having[0]


def read_box(
    path: Path, layer: str, field: str, box: tuple[float, ...], fields: list[str]
) -> tuple[np.ndarray, list[object], list[str]]:
    """Geometries, values and ids of the features in a box; the id is the file's own `id` where it is text."""
    columns = [name for name in fields if name in {field, "id"}]
    meta, fids, wkb, data = pyogrio.raw.read(
        path, layer=layer, columns=columns, bbox=box, return_fids=True, force_2d=True
    )
    found = dict(zip(meta["fields"], data, strict=True))
    values = [value.item() if isinstance(value, np.generic) else value for value in found[field]]
    named = found.get("id")
    own = named is not None and all(isinstance(value, str) for value in named)
    return shapely.from_wkb(wkb), values, [str(value) for value in (named if own else fids)]
