"""Ground truth of one scene: read vectors, make them valid, bring them to the raster's system, map classes, write GeoJSON.

The vectors go to the raster, never the raster to the vectors. Output: docs/reference/scene-format.md, `truth.geojson`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyproj
import requests
import shapely
import shapely.geometry
from sources import Box, Feature, PassingError, TruthError, check_digest, read_file, read_ogcapi, read_wfs

PASSING = 75


@dataclass(frozen=True, slots=True)
class ClassTable:
    """The classes of source values; `other` is for values that are not listed (None: left out)."""

    classes: dict[str, tuple[int, str]]
    other: tuple[int, str] | None
    identity: bool

    def of(self, value: str) -> tuple[int, str] | None:
        """The class of a value and its name; None: leave the feature out."""
        if self.identity:
            try:
                return int(value), value
            except ValueError as error:
                raise TruthError(f"the value {value!r} is no integer; map it with --classes") from error
        return self.classes.get(value, self.other)


def class_table(text: str) -> ClassTable:
    """`VALUE=CLASS:NAME,…`; a class keeps the name that it is first given."""
    if text == "none":
        return ClassTable({}, None, identity=True)
    found: dict[str, tuple[int, str]] = {}
    names: dict[int, str] = {}
    for part in text.split(","):
        value, equals, rest = part.partition("=")
        number, _, name = rest.partition(":")
        if not equals or not number.strip().isdigit():
            raise TruthError(f"--classes: {part!r} must be VALUE=CLASS or VALUE=CLASS:NAME")
        if name:
            names.setdefault(int(number), name)
        found[value.strip()] = (int(number), name)
    named = {value: (number, names.get(number, name or str(number))) for value, (number, name) in found.items()}
    return ClassTable({value: entry for value, entry in named.items() if value != "*"}, named.get("*"), identity=False)


def only_polygons(geometry: shapely.Geometry) -> list[shapely.Polygon]:
    """The polygons of a geometry, made valid first."""
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    parts = shapely.get_parts(valid)
    if len(parts) == 1 and isinstance(parts[0], shapely.Polygon):
        return [parts[0]] if parts[0].area > 0 else []
    return [polygon for part in parts for polygon in only_polygons(part)] if len(parts) else []


def to_raster(features: Iterable[Feature], source: pyproj.CRS, raster: pyproj.CRS) -> Iterable[Feature]:
    """The features in the raster's system; untouched where it is already theirs."""
    if source.equals(raster, ignore_axis_order=True):
        return features
    transformer = pyproj.Transformer.from_crs(source, raster, always_xy=True)
    return [
        Feature(shapely.transform(item.geometry, transformer.transform, interleaved=False), item.value, item.name)
        for item in features
    ]


def collection(features: Iterable[Feature], table: ClassTable, box: Box, epsg: int) -> dict[str, object]:
    """The GeoJSON document: polygons that touch the box, large ones first; equal ones once."""
    area = shapely.box(*box)
    rows: dict[tuple[float, bytes, int, str], dict[str, object]] = {}
    for feature in features:
        entry = table.of(feature.value)
        if entry is None:
            continue
        for polygon in only_polygons(feature.geometry):
            if polygon.intersects(area):
                rows[(-polygon.area, polygon.wkb, entry[0], feature.name)] = {
                    "type": "Feature",
                    "properties": {"class": entry[0], "name": entry[1], "source_id": feature.name},
                    "geometry": shapely.geometry.mapping(polygon),
                }
    system = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{epsg}"}}
    return {"type": "FeatureCollection", "crs": system, "features": [rows[key] for key in sorted(rows)]}


def kind_of(source: str, kind: str) -> str:
    """What a source is, from its address where `kind` is auto."""
    if kind != "auto":
        return kind
    if urlsplit(source).scheme not in ("http", "https"):
        return "file"
    path = urlsplit(source).path.rstrip("/")
    return "ogcapi" if path.endswith("/items") else "wfs" if path.lower().endswith(("wfs", "ows")) else "file"


def local_file(arguments: argparse.Namespace, folder: Path) -> Path:
    """The vector file on this machine; fetched first if it is in an HTTP store."""
    source = arguments.source
    if urlsplit(source).scheme not in ("http", "https") and urlsplit(arguments.archive).scheme in ("http", "https"):
        source = arguments.archive.rstrip("/") + "/" + source
    if urlsplit(source).scheme in ("http", "https"):
        path = folder / Path(urlsplit(source).path).name
        try:
            answer = requests.get(source, timeout=300)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise PassingError(f"{source} does not answer: {type(error).__name__}") from error
        if not answer.ok:
            kind = PassingError if answer.status_code in (429, 500, 502, 503, 504) else TruthError
            raise kind(f"{source}: the server says {answer.status_code}")
        path.write_bytes(answer.content)
        return path
    relative = Path(unquote(source))
    if arguments.archive != "none" and (relative.is_absolute() or ".." in relative.parts):
        raise TruthError(f"{source}: leaves the archive")
    path = relative if arguments.archive == "none" else Path(arguments.archive) / relative
    if not path.is_file():
        raise TruthError(f"{path}: no such file; is the volume the right folder?")
    return path


def truth(arguments: argparse.Namespace) -> dict[str, object]:
    """Read, convert, map."""
    if arguments.source == "none":
        raise TruthError("no ground truth is known for this scene: put a vector file into the archive, or search with --truth")
    extent = json.loads(arguments.extent.read_text())
    raster = pyproj.CRS.from_user_input(extent["crs"])
    box: Box = tuple(extent["bounds"])
    table = class_table(arguments.classes)
    layer = None if arguments.layer == "none" else arguments.layer
    kind = kind_of(arguments.source, arguments.kind)
    if kind == "file":
        with tempfile.TemporaryDirectory() as folder:
            path = local_file(arguments, Path(folder))
            check_digest(path, arguments.digest)
            features, system = read_file(path, layer, box, extent["crs"], arguments.field)
    else:
        system = pyproj.CRS.from_epsg(4326)
        degrees = pyproj.Transformer.from_crs(raster, system, always_xy=True).transform_bounds(*box, densify_pts=21)
        if kind == "wfs" and layer is None:
            raise TruthError("a WFS needs --layer, the name of its feature type")
        found = (
            read_ogcapi(arguments.source, degrees, arguments.field)
            if kind == "ogcapi"
            else read_wfs(arguments.source, str(layer), degrees, arguments.field)
        )
        features = list(found)
    document = collection(to_raster(features, system, raster), table, box, raster.to_epsg() or 0)
    if not document["features"]:
        raise TruthError(f"{arguments.source}: no polygon with a known class touches the scene ({len(features)} features read)")
    return document


def main() -> int:
    """Read the arguments and write the ground truth."""
    parser = argparse.ArgumentParser(description="Ground truth of one scene.")
    for name in ("archive", "layer", "digest", "classes"):
        parser.add_argument(f"--{name}", default="none")
    parser.add_argument("--source", required=True)
    parser.add_argument("--kind", choices=("auto", "file", "ogcapi", "wfs"), default="auto")
    parser.add_argument("--field", required=True)
    parser.add_argument("--extent", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        text = json.dumps(truth(arguments), separators=(",", ":"), ensure_ascii=False) + "\n"
    except (TruthError, OSError, ValueError, KeyError) as error:
        print(f"truth: {error}", file=sys.stderr)
        return 1
    except PassingError as error:
        print(f"truth: {error}; try again later", file=sys.stderr)
        return PASSING
    part = arguments.out.with_name(arguments.out.name + ".part")
    part.write_text(text)
    part.replace(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
