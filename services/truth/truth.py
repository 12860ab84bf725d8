"""Ground truth of one scene: the polygons of a vector source that touch it, in its CRS, with their classes.

The source is a file of the archive or of a web server, a collection of an OGC API Features service, or a WFS 2.0.
Called by the workflow once a scene; the output is what `rasterize` draws. See README.md for the forms of a source.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import shapely
from classes import Classes, parse_classes
from feature_services import is_wfs, read_ogc_api, read_wfs
from ground import Ground, read_ground
from passing_fault import PassingFaultError
from polygons import Features, on_ground
from vector_files import check_digest, read_file
from web import Web

FILE_ENDINGS = (".gpkg", ".geojson", ".json", ".zip", ".fgb", ".gml", ".shp")
EX_TEMPFAIL = 75


def read_features(arguments: argparse.Namespace, ground: Ground) -> Features:
    """Read the source, whatever it is."""
    source, archive = arguments.source, arguments.archive
    if source == "none":
        raise SystemExit(
            "no ground truth is known for this scene: put a vector file into the archive and describe it anew, "
            "or give the search a source"
        )
    if not is_url(source) and is_url(archive):
        source = f"{archive.rstrip('/')}/{source}"
    if is_url(source):
        return read_url(source, arguments, ground)
    path = local_file(archive, source)
    check_digest(path, arguments.digest)
    return read_file(path, arguments.layer, arguments.field, ground)


def read_url(source: str, arguments: argparse.Namespace, ground: Ground) -> Features:
    """Read a source on a web server: a file when it ends like one or has a digest, else a service."""
    web, url = Web(arguments.retries), source if "?" in source else decoded_query(source)
    name = PurePosixPath(urlsplit(url).path).name
    if arguments.digest != "none" or name.lower().endswith(FILE_ENDINGS):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            web.download(url, path)
            check_digest(path, arguments.digest)
            return read_file(path, arguments.layer, arguments.field, ground)
    if is_wfs(url):
        return read_wfs(web, url, ground, layer=arguments.layer, field=arguments.field, page=arguments.page)
    return read_ogc_api(web, url, arguments.field, ground, arguments.page)


def is_url(text: str) -> bool:
    """Whether it is an address on the web."""
    return text.startswith(("http://", "https://"))


def decoded_query(url: str) -> str:
    """A URL whose query was made one word for a command line: `%3F`, `%26` and the like decoded once."""
    path, mark, query = url.partition("%3F")
    return f"{path}?{unquote(query)}" if mark else url


def local_file(archive: str, source: str) -> Path:
    """The path of a source in the archive's folder.

    Raises:
        SystemExit: it leads out of the archive, or is not there.
    """
    for name in (source, unquote(source)):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise SystemExit(f"--source {name}: only files of the archive, or a URL")
        if (path := Path(archive, name)).is_file():
            return path
    raise SystemExit(f"{source} is not in the archive {archive}: describe the archive anew (swath exec catalogue)")


def collection(features: Features, classes: Classes, field: str, ground: Ground) -> dict[str, object]:
    """The FeatureCollection: polygons with a class, large ones first; its order depends on the content alone."""
    rows = []
    for geometry, value, identifier in zip(on_ground(features, ground), features.values, features.ids, strict=True):
        if geometry is None:
            continue
        try:
            index = classes.of(value)
        except ValueError as error:
            raise SystemExit(f"{field} of feature {identifier}: {error}; map the values by --classes") from error
        if index is not None:
            properties = {"class": index, "name": classes.name(index), "source_id": identifier}
            shape = shapely.geometry.mapping(geometry)
            feature = {"type": "Feature", "properties": properties, "geometry": shape}
            rows.append((-geometry.area, identifier, shapely.to_wkb(geometry), feature))
    return {
        "type": "FeatureCollection",
        "name": "truth",
        "crs": {"type": "name", "properties": {"name": crs_name(ground)}},
        "features": [row[-1] for row in sorted(rows, key=lambda row: row[:3])],
    }


def crs_name(ground: Ground) -> str:
    """The scene's CRS as GDAL reads it in GeoJSON, where x always comes first."""
    authority = ground.crs.to_authority(min_confidence=100)
    if authority is None:
        return ground.crs.to_wkt()
    if authority in {("EPSG", "4326"), ("OGC", "CRS84")}:
        return "urn:ogc:def:crs:OGC:1.3:CRS84"
    return f"urn:ogc:def:crs:{authority[0]}::{authority[1]}"


def write_atomically(path: Path, document: dict[str, object]) -> None:
    """Write a FeatureCollection, one feature a line, under a temporary name, and rename it."""
    features = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in document["features"])
    head = json.dumps({**document, "features": []}, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(f"{head[:-2]}\n{features}\n]}}\n", encoding="utf-8")
    os.replace(temporary, path)


def parse_arguments() -> argparse.Namespace:
    """Read the command line; service.yaml says what each option is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", default=".", help="folder or URL where a relative source starts")
    parser.add_argument("--source", required=True, help="file or URL")
    parser.add_argument("--digest", default="none", help="ALGORITHM:HEX:BYTES of the file, or none")
    parser.add_argument("--layer", default="none", help="layer or feature type")
    parser.add_argument("--field", required=True, help="attribute that holds the class")
    parser.add_argument("--classes", default="none", help="VALUE=CLASS[:NAME],…, or none")
    parser.add_argument("--extent", type=Path, required=True, help="extent document of the scene")
    parser.add_argument("--page", type=int, default=1000, help="features to ask a service for at a time")
    parser.add_argument("--retries", type=int, default=4, help="further tries of a request")
    parser.add_argument("--out", type=Path, required=True, help="GeoJSON to write")
    return parser.parse_args()


def main() -> None:
    """Read the arguments and write the ground truth."""
    arguments = parse_arguments()
    classes = parse_classes(arguments.classes)
    ground = read_ground(arguments.extent)
    try:
        features = read_features(arguments, ground)
    except PassingFaultError as fault:
        print(fault, file=sys.stderr)
        raise SystemExit(EX_TEMPFAIL) from fault
    document = collection(features, classes, arguments.field, ground)
    write_atomically(arguments.out, document)
    counts: dict[int, int] = {}
    for feature in document["features"]:
        index = feature["properties"]["class"]
        counts[index] = counts.get(index, 0) + 1
    described = ", ".join(f"{classes.name(index)}: {count}" for index, count in sorted(counts.items()))
    print(f"{len(document['features'])} of {len(features.ids)} polygons ({described or 'none on this scene'})")


if __name__ == "__main__":
    main()
