"""Read vector features of a box from a file, an OGC API Features collection, or a WFS 2.0; each gives `Features`."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pyogrio
import pyproj
import requests
import shapely
import shapely.geometry

PAGE = 1000
MOST_PAGES = 10_000
ATTEMPTS = 5
PASSING_STATUS = (408, 429, 500, 502, 503, 504)
Box = tuple[float, float, float, float]


class TruthError(Exception):
    """The ground truth cannot be had as asked."""


class PassingError(Exception):
    """The server does not answer now; it may later."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A geometry in `crs` of its source, its class as the source says it, and its id."""

    geometry: shapely.Geometry
    value: str
    name: str


def get_json(url: str, parameters: dict[str, str] | None = None) -> dict[str, Any]:
    """Ask a server, again after a while if it is busy."""
    trouble = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(float(os.environ.get("SWATH_RETRY_WAIT_S", 1)) * 2**attempt)
        try:
            answer = requests.get(
                url, params=parameters, timeout=60, headers={"Accept": "application/geo+json, application/json"}
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            trouble = type(error).__name__
            continue
        if answer.status_code in PASSING_STATUS:
            trouble = f"status {answer.status_code}"
            continue
        if not answer.ok:
            raise TruthError(f"{url}: the server says {answer.status_code} {answer.reason}")
        try:
            document = answer.json()
        except ValueError as error:
            raise TruthError(f"{url}: no JSON in the answer: {answer.text[:120]!r}") from error
        if not isinstance(document.get("features"), list):
            raise TruthError(f"{url}: no features in the answer; is it the address of the items?")
        return dict(document)
    raise PassingError(f"{url} does not answer ({trouble}), {ATTEMPTS} attempts")


def feature_of(raw: dict[str, Any], field: str) -> Feature:
    """A GeoJSON feature."""
    properties = raw.get("properties") or {}
    if field not in properties:
        raise TruthError(f"there is no attribute {field!r}; there are {', '.join(sorted(properties))}")
    name = raw.get("id", properties.get("id", ""))
    return Feature(shapely.geometry.shape(raw["geometry"]), text_of(properties[field]), text_of(name))


def text_of(value: object) -> str:
    """A value as the class table writes it: whole numbers without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def read_ogcapi(url: str, box: Box, field: str) -> Iterator[Feature]:
    """All pages of an OGC API Features collection; longitude and latitude."""
    parameters: dict[str, str] | None = {
        "bbox": ",".join(f"{value:.9f}" for value in box),
        "limit": str(PAGE),
        "f": "json",
    }
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        document = get_json(url, parameters)
        yield from (feature_of(raw, field) for raw in document["features"] if raw.get("geometry"))
        following = next((link["href"] for link in document.get("links", []) if link.get("rel") == "next"), None)
        if following is None or not document["features"]:
            return
        url, parameters = urljoin(url, following), None
        if url in seen:
            raise TruthError(f"{url}: the server's pages go round in a circle")
        seen.add(url)
    raise TruthError(f"{url}: more than {MOST_PAGES} pages")


def read_wfs(url: str, layer: str, box: Box, field: str) -> Iterator[Feature]:
    """All pages of a WFS 2.0 type. The box is given in the URN system, whose axes are latitude, longitude."""
    west, south, east, north = box
    urn = "urn:ogc:def:crs:EPSG::4326"
    start = 0
    for _ in range(MOST_PAGES):
        parameters = {
            "service": "WFS", "version": "2.0.0", "request": "GetFeature", "typeNames": layer, "outputFormat": "application/json",
            "srsName": "EPSG:4326", "bbox": f"{south:.9f},{west:.9f},{north:.9f},{east:.9f},{urn}", "count": str(PAGE),
            "startIndex": str(start),
        }  # fmt: skip
        document = get_json(url, parameters)
        found = document["features"]
        yield from (feature_of(raw, field) for raw in found if raw.get("geometry"))
        start += len(found)
        matched = document.get("numberMatched", document.get("totalFeatures"))
        if (
            not found
            or (isinstance(matched, int) and start >= matched)
            or (not isinstance(matched, int) and len(found) < PAGE)
        ):
            return
    raise TruthError(f"{url}: more than {MOST_PAGES} pages")


def check_digest(path: Path, digest: str) -> None:
    """Raise if the file is not the one that the search saw."""
    algorithm, _, rest = digest.partition(":")
    if digest == "none" or algorithm not in ("md5", "sha256"):
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != rest.partition(":")[0]:
        raise TruthError(
            f"{path.name}: wrong checksum; if it changed on purpose, write the catalogue anew and search again"
        )


def read_file(
    path: Path, layer: str | None, grid_box: Box, grid_crs: str, field: str
) -> tuple[list[Feature], pyproj.CRS]:
    """The features of a GeoPackage, GeoJSON or other file that touch the box, and their coordinate system."""
    try:
        info = pyogrio.read_info(path, layer=layer)
        if field not in info["fields"]:
            raise TruthError(
                f"{path.name}: there is no attribute {field!r}; there are {', '.join(sorted(info['fields']))}"
            )
        system = pyproj.CRS.from_user_input(info["crs"] or "EPSG:4326")
        box = pyproj.Transformer.from_crs(grid_crs, system, always_xy=True).transform_bounds(*grid_box, densify_pts=21)
        _, ids, geometries, values = pyogrio.raw.read(path, layer=layer, columns=[field], bbox=box, return_fids=True)
    except pyogrio.errors.DataSourceError as error:
        raise TruthError(f"{path.name}: cannot be read: {error}") from error
    rows = zip(ids, shapely.from_wkb(geometries), values[0], strict=True)
    return [
        Feature(geometry, text_of(plain(value)), str(number)) for number, geometry, value in rows if geometry
    ], system


def plain(value: Any) -> object:
    """A numpy value as Python's own."""
    return value.item() if hasattr(value, "item") else value
