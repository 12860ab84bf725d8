"""Features from a web service: OGC API Features (parts 1 and 2), or WFS 2.0 (GeoJSON, else GML).

Both are asked for the scene's box alone, page by page, in the CRS that they keep their data in. The order of the axes
is what the standards say; since servers differ, it is checked against the box that was asked for.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

import numpy as np
import pyogrio
import shapely
from passing_fault import PassingFaultError
from polygons import Features, geometry_array
from pyproj import CRS
from pyproj.exceptions import CRSError
from web import Web, json_object, shown

if TYPE_CHECKING:
    from ground import Box, Ground

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
PASSING_EXCEPTIONS = frozenset({"ServerBusy", "OperationProcessingFailed"})


def is_wfs(url: str) -> bool:
    """Whether a URL names a WFS: by its query, or by the end of its path."""
    query = {name.lower(): value.lower() for name, value in parse_qsl(urlsplit(url).query)}
    return query.get("service") == "wfs" or urlsplit(url).path.rstrip("/").lower().endswith("/wfs")


def split_query(url: str) -> tuple[str, dict[str, str]]:
    """A URL without its query, and the query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), dict(parse_qsl(parts.query))


# --- OGC API Features


def read_ogc_api(web: Web, url: str, field: str, ground: Ground, page: int) -> Features:
    """Read the features in the scene's box.

    Args:
        url: of the collection, with or without `/items`.
        page: features to ask for at a time; the server may give fewer.
    """
    address, query = split_query(url)
    collection = address.rstrip("/").removesuffix("/items")
    storage = web.json(collection, query).get("storageCrs", CRS84)
    crs = parse_crs(storage, url)
    asked = {} if storage == CRS84 else {"crs": storage}
    found: list[dict] = []
    for box in ground.boxes_in(CRS.from_user_input("OGC:CRS84")):
        parameters = {**query, **asked, "limit": str(page), "bbox": ",".join(map(repr, box))}
        found += pages_of_links(web, f"{collection}/items", parameters)
    features = features_from_json(found, field, crs, url)
    if asked and north_first(crs):
        features = swapped(features)
    return with_checked_axes(features, ground, url)


def pages_of_links(web: Web, url: str, parameters: dict[str, str]) -> list[dict]:
    """The features of all pages; each page links to the next."""
    features: list[dict] = []
    seen: set[str] = set()
    following: dict[str, str] | None = parameters
    matched = None
    while url not in seen:
        seen.add(url)
        document = web.json(url, following)
        features += feature_list(document, url)
        matched = document.get("numberMatched", matched)
        links = [link["href"] for link in document.get("links", []) if link.get("rel") == "next"]
        if not links:
            break
        url, following = urljoin(url, links[0]), None
    check_complete(len(features), matched, url)
    return features


# --- WFS


def read_wfs(web: Web, url: str, ground: Ground, *, layer: str, field: str, page: int) -> Features:
    """Read the features in the scene's box.

    Args:
        url: of the service; its query may name the feature type (`typeNames`) and whatever the server needs.
        layer: the feature type; `none`: from the URL, or the only one.
        page: features to ask for at a time; the server may give fewer.
    """
    address, query = split_query(url)
    own = {"service", "version", "request", "typenames", "typename"}
    kept = {name: value for name, value in query.items() if name.lower() not in own}
    wanted = next((value for name, value in query.items() if name.lower() in {"typenames", "typename"}), layer)
    capabilities = parse_xml(
        web.get(address, {**kept, "service": "WFS", "request": "GetCapabilities", "acceptVersions": "2.0.0"}).content,
        url,
    )
    if not capabilities.get("version", "").startswith("2."):
        raise SystemExit(f"{shown(url)} speaks WFS {capabilities.get('version', '?')}; 2.0 is needed")
    name, crs_name = feature_type(capabilities, wanted, url)
    crs = parse_crs(crs_name, url)
    asked = {
        **kept,
        "service": "WFS",
        "version": "2.0.0",
        "request": "GetFeature",
        "typeNames": name,
        "srsName": crs_name,
    }
    if output := json_format(capabilities):
        asked["outputFormat"] = output
    parts = []
    for box in ground.boxes_in(crs):
        parameters = {**asked, "bbox": wfs_box(box, crs, crs_name)}
        parts += [wfs_features(content, field, crs, url) for content in wfs_pages(web, address, parameters, page)]
    return with_checked_axes(joined(parts, crs), ground, url)


def feature_type(capabilities: ET.Element, wanted: str, url: str) -> tuple[str, str]:
    """The feature type's full name and the CRS that it is kept in."""
    types = {
        text_of(one, "Name"): text_of(one, "DefaultCRS") or text_of(one, "DefaultSRS")
        for one in elements(capabilities, "FeatureType")
    }
    matching = [name for name in types if wanted in {"none", name, name.rpartition(":")[2]}]
    if len(matching) != 1:
        problem = "name a feature type by typeNames= in the URL" if wanted == "none" else f"no feature type {wanted!r}"
        raise SystemExit(f"{shown(url)}: {problem}; it has {', '.join(sorted(types))}")
    return matching[0], types[matching[0]]


def json_format(capabilities: ET.Element) -> str | None:
    """The name under which GetFeature gives GeoJSON; None: it does not."""
    for operation in elements(capabilities, "Operation"):
        if operation.get("name") == "GetFeature":
            for parameter in elements(operation, "Parameter"):
                if parameter.get("name") == "outputFormat":
                    offered = [(value.text or "").strip() for value in elements(parameter, "Value")]
                    known = ("application/geo+json", "application/json", "geojson", "json")
                    ranked = [name for form in known for name in offered if name.lower().split(";")[0].strip() == form]
                    return ranked[0] if ranked else None
    return None


def wfs_box(box: Box, crs: CRS, crs_name: str) -> str:
    """The bbox parameter; a URN or URL has the axes of its authority, a short name such as EPSG:4326 has x first."""
    west, south, east, north = box
    formal = crs_name.lower().startswith(("urn:", "http"))
    numbers = (south, west, north, east) if formal and north_first(crs) else box
    return ",".join([*map(repr, numbers), crs_name])


def wfs_pages(web: Web, address: str, parameters: dict[str, str], page: int) -> Iterator[bytes]:
    """The answers with features in them, until the server has no more; it may cut pages shorter than asked."""
    start, matched, last = 0, None, b""
    while matched is None or start < matched:
        content = web.get(address, {**parameters, "count": str(page), "startIndex": str(start)}).content
        returned, matched = page_size(content, address)
        if returned == 0 or content == last:  # the same again: the server does not page, and gave all at once
            break
        last = content
        yield content
        start += returned
    check_complete(start, matched, address)


def page_size(content: bytes, url: str) -> tuple[int, int | None]:
    """How many features are in an answer, and how many there are in all (None: not said)."""
    if content.lstrip()[:1] == b"{":
        document = json_object(content, url)
        matched = document.get("numberMatched", document.get("totalFeatures"))
        return len(feature_list(document, url)), matched if isinstance(matched, int) else None
    root = parse_xml(content, url)
    matched_text = root.get("numberMatched", "unknown")
    members = [one for one in root if local_name(one) in {"member", "featureMember"}]
    inside = [one for container in root if local_name(container) in {"featureMembers", "members"} for one in container]
    return len(members) + len(inside), int(matched_text) if matched_text.isdigit() else None


def wfs_features(content: bytes, field: str, crs: CRS, url: str) -> Features:
    """The features of an answer: GeoJSON, or GML (whose axes GDAL puts right by its srsName)."""
    if content.lstrip()[:1] == b"{":
        return features_from_json(feature_list(json_object(content, url), url), field, crs, url)
    try:
        meta, fids, wkb, data = pyogrio.raw.read(content, return_fids=True, force_2d=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise SystemExit(f"{shown(url)}: the GML cannot be read: {error}") from error
    columns = dict(zip(meta["fields"], data, strict=True))
    if field not in columns:
        raise SystemExit(f"{shown(url)}: no field {field!r}; the features have {', '.join(columns)}")
    values = [value.item() if isinstance(value, np.generic) else value for value in columns[field]]
    ids = [str(value) for value in columns.get("gml_id", fids)]
    own = crs if meta["crs"] is None else CRS.from_user_input(meta["crs"])
    return Features(own, shapely.from_wkb(wkb), values, ids)


# --- both


def feature_list(document: dict, url: str) -> list[dict]:
    """The features of a FeatureCollection."""
    features = document.get("features")
    if not isinstance(features, list):
        raise SystemExit(
            f"{shown(url)} gives no FeatureCollection but an object with {', '.join(sorted(document)[:8])}"
        )
    return features


def features_from_json(documents: list[dict], field: str, crs: CRS, url: str) -> Features:
    """Features from GeoJSON, x first as they stand."""
    if documents and not any(field in (one.get("properties") or {}) for one in documents):
        names = sorted({name for one in documents for name in one.get("properties") or {}})
        raise SystemExit(f"{shown(url)}: no field {field!r}; the features have {', '.join(names)}")
    try:
        shapes = [shapely.geometry.shape(one["geometry"]) if one.get("geometry") else None for one in documents]
    except (KeyError, ValueError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise SystemExit(f"{shown(url)}: a geometry cannot be read: {error}") from error
    values = [(one.get("properties") or {}).get(field) for one in documents]
    ids = [str(one["id"]) if "id" in one else f"#{index}" for index, one in enumerate(documents)]
    return Features(crs, geometry_array(shapes), values, ids).unique()


def joined(parts: list[Features], crs: CRS) -> Features:
    """The features of all pages as one."""
    if not parts:
        return Features(crs, geometry_array([]), [], [])
    values = [value for part in parts for value in part.values]
    ids = [identifier for part in parts for identifier in part.ids]
    if all(identifier.startswith("#") for identifier in ids):  # numbered by page: number them anew
        ids = [f"#{index}" for index in range(len(ids))]
    return Features(parts[0].crs, np.concatenate([part.geometries for part in parts]), values, ids).unique()


def with_checked_axes(features: Features, ground: Ground, url: str) -> Features:
    """The features, their axes exchanged when only that brings them into the box that was asked for."""
    boxes = [shapely.box(*box) for box in ground.boxes_in(features.crs)]
    if not len(features.ids) or touches(features, boxes):
        return features
    turned = swapped(features)
    if not touches(turned, boxes):
        return features
    print(f"{shown(url)} gives north before east in {features.crs.to_string()}: exchanged", file=sys.stderr)
    return turned


def touches(features: Features, boxes: list[shapely.Polygon]) -> bool:
    """Whether any feature lies in any of the boxes."""
    present = features.geometries[~shapely.is_missing(features.geometries)]
    bounds = shapely.box(*shapely.bounds(present).T) if len(present) else present
    return any(bool(shapely.intersects(box, bounds).any()) for box in boxes)


def swapped(features: Features) -> Features:
    """The features with x and y exchanged."""
    turned = shapely.transform(shapely.force_2d(features.geometries), lambda points: points[:, ::-1])
    return Features(features.crs, turned, features.values, features.ids)


def north_first(crs: CRS) -> bool:
    """Whether the authority of a CRS puts north before east."""
    return crs.axis_info[0].direction.lower() == "north"


def parse_crs(name: str, url: str) -> CRS:
    """A CRS from its URN, URL or short name."""
    try:
        return CRS.from_user_input(name)
    except CRSError as error:
        raise SystemExit(f"{shown(url)}: unknown CRS {name!r}") from error


def check_complete(found: int, matched: object, url: str) -> None:
    """Compare with the number of features that the server announced."""
    if isinstance(matched, int) and found < matched:
        raise PassingFaultError(f"{shown(url)} announces {matched} features and gives {found}")


def parse_xml(content: bytes, url: str) -> ET.Element:
    """Parse an answer of a WFS, or raise what its ExceptionReport says."""
    try:
        root = ET.fromstring(content)  # noqa: S314 - expat of Python ≥ 3.11 bounds the growth of entities
    except ET.ParseError as error:
        start = " ".join(content[:60].decode("utf-8", "replace").split())
        raise SystemExit(f"{shown(url)} gives no XML but {start!r}") from error
    if local_name(root) == "ExceptionReport":
        code = next((one.get("exceptionCode", "") for one in elements(root, "Exception")), "")
        said = " ".join(" ".join(one.text or "" for one in elements(root, "ExceptionText")).split())
        message = f"{shown(url)} refuses: {code} {said}".rstrip()
        raise PassingFaultError(message) if code in PASSING_EXCEPTIONS else SystemExit(message)
    return root


def elements(root: ET.Element, name: str) -> list[ET.Element]:
    """All elements below `root` of that local name."""
    return [one for one in root.iter() if local_name(one) == name]


def local_name(element: ET.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def text_of(element: ET.Element, name: str) -> str:
    """The text of the first child of that name, or nothing."""
    return next(((one.text or "").strip() for one in element if local_name(one) == name), "")
