"""`truth` on files: formats, CRS, classes, digests, and what is wrong with sources."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_large_ones_come_first_and_only_those_on_the_scene(truth, make):
    source = truth.source(
        make.collection(
            [
                make.feature(1, [make.ring(100, 100, 50)], kind=7),
                make.feature(2, [make.ring(-50, 0, 400)], kind=3),  # over the edge: not clipped
                make.feature(3, [make.ring(5000, 0, 400)], kind=5),  # elsewhere
                make.feature(4, [make.ring(300, 300, 200)], kind=7),
            ]
        )
    )
    document, done = truth(source)
    assert [tuple(one["properties"].values()) for one in document["features"]] == [
        (3, "3", "2"),
        (7, "7", "4"),
        (7, "7", "1"),
    ]
    assert document["features"][0]["geometry"]["coordinates"] == [make.ring(-50, 0, 400)]
    assert document["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"
    assert done.stdout == "3 of 3 polygons (3: 1, 7: 2)\n"


def test_same_source_same_bytes_whatever_its_order(truth, make):
    features = [make.feature(index, [make.ring(50 * index, 0, 40)], kind=1) for index in range(1, 6)]
    truth(truth.source(make.collection(features)))
    first = truth.out.read_bytes()
    truth(truth.source(make.collection(features[::-1])))
    assert truth.out.read_bytes() == first


def test_longitude_and_latitude_come_to_the_scene_within_a_centimetre(truth, make):
    one = make.in_crs(make.feature(1, [make.ring(100, 100, 300)], kind=1), "OGC:CRS84")
    document, _ = truth(truth.source(make.collection([one], crs=None)))
    [[*corners]] = document["features"][0]["geometry"]["coordinates"]
    for found, expected in zip(corners, make.ring(100, 100, 300), strict=True):
        assert found == pytest.approx(expected, abs=0.01)


def test_a_long_edge_is_bent_as_the_other_crs_bends_it(truth, make):
    big = make.feature(1, [[[14.0, 50.0], [16.0, 50.0], [16.0, 50.545], [14.0, 50.545], [14.0, 50.0]]], kind=1)
    document, _ = truth(truth.source(make.collection([big], crs=None)))
    [coordinates] = document["features"][0]["geometry"]["coordinates"]
    assert len(coordinates) > 300
    middle = min((point for point in coordinates if point[1] < 5_550_000), key=lambda point: abs(point[0] - 500_000))
    assert middle[1] == pytest.approx(5_538_630.7, abs=0.5)  # the parallel 50° N on the central meridian


@pytest.mark.parametrize(
    ("driver", "name"),
    [("GPKG", "a b.gpkg"), ("ESRI Shapefile", "truth.shp"), ("FlatGeobuf", "truth.fgb"), ("GeoJSON", "truth.json")],
)
def test_formats(truth, make, driver, name):
    import pyogrio.raw
    import shapely

    geometry = shapely.geometry.shape(make.feature(1, [make.ring(0, 0, 100)])["geometry"])
    shapes = shapely.to_wkb([geometry, shapely.transform(geometry, lambda points: points + 200)])
    values = __import__("numpy").array(["wood", "lake"], dtype=object)
    path = truth.folder / "archive" / name
    pyogrio.raw.write(path, shapes, [values], ["kind"], driver=driver, crs="EPSG:32633", geometry_type="Polygon")
    found = truth.classes(name.replace(" ", "%20"), "--classes", "wood=1:Wood,lake=0:Water", code=0)
    assert [row[:2] for row in found] == [(1, "Wood")]
    if driver == "ESRI Shapefile":
        packed = shutil.make_archive(str(truth.folder / "archive/packed"), "zip", path.parent, None)
        assert truth.classes(Path(packed).name, "--classes", "wood=2,*=3")[0][0] == 2


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("1=0:wood,2=0,3=4:lake", {"a": (0, "wood"), "b": (0, "wood"), "c": (4, "lake")}),
        ("1=9,*=3:other", {"a": (9, "9"), "b": (3, "other"), "c": (3, "other")}),
        ("2=1", {"b": (1, "1")}),
        ("none", {"a": (1, "1"), "b": (2, "2"), "c": (3, "3")}),
    ],
)
def test_classes(truth, make, classes, expected):
    features = [make.feature(name, [make.ring(0, 0, 10)], kind=kind) for name, kind in (("a", 1), ("b", 2.0), ("c", 3))]
    features.append(make.feature("d", [make.ring(0, 0, 10)], kind=None))
    found = truth.classes(truth.source(make.collection(features)), "--classes", classes)
    assert {identifier: (index, name) for index, name, identifier in found} == expected


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("wood", "--classes: 'wood' is not VALUE=CLASS or VALUE=CLASS:NAME\n"),
        ("1=0,1=2", "--classes: the value '1' stands twice\n"),
        ("1=0:a,2=0:b", "--classes: class 0 has two names, 'a' and 'b'\n"),
        ("1=255", "--classes: '1=255': classes go from 0 to 254\n"),
        ("1=-1", "--classes: '1=-1' is not VALUE=CLASS or VALUE=CLASS:NAME\n"),
    ],
)
def test_wrong_classes(truth, make, classes, message):
    source = truth.source(make.collection([make.feature(1, [make.ring(0, 0, 10)], kind=1)]))
    assert truth(source, "--classes", classes, code=1)[1].stderr == message


def test_a_comma_in_a_value_is_written_percent_encoded(truth, make):
    source = truth.source(make.collection([make.feature(1, [make.ring(0, 0, 10)], kind="oak, beech")]))
    assert truth.classes(source, "--classes", "oak%2C beech=2:a%3Ab") == [(2, "a:b", "1")]


def test_text_without_classes_is_no_class(truth, make):
    source = truth.source(make.collection([make.feature(8, [make.ring(0, 0, 10)], kind="oak")]))
    stderr = truth(source, code=1)[1].stderr
    assert stderr == "kind of feature 8: 'oak' is no class from 0 to 254; map the values by --classes\n"


def test_an_unknown_field_is_named_with_those_that_exist(truth, make):
    source = truth.source(make.collection([make.feature(1, [make.ring(0, 0, 10)], kind=1, soil=2)]))
    assert "no field 'klass'; truth has kind, soil" in truth(source, code=1, field="klass")[1].stderr.replace(
        "id, ", ""
    )


def test_digests(truth, make):
    source = truth.source(make.collection([make.feature(1, [make.ring(0, 0, 10)], kind=1)]))
    content = (truth.folder / "archive" / source).read_bytes()
    size = len(content)
    for algorithm in ("md5", "sha256"):
        digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}:{size}"
        assert truth.classes(source, "--digest", digest) == [(1, "1", "1")]
    truth.out.unlink()
    assert (
        f"not the {'0' * 32} of the catalogue" in truth(source, "--digest", f"md5:{'0' * 32}:{size}", code=1)[1].stderr
    )
    assert f"has {size} bytes, not the 7 of" in truth(source, "--digest", f"md5:{'0' * 32}:7", code=1)[1].stderr
    assert not truth.out.exists()


@pytest.mark.parametrize("source", ["../outside.gpkg", "/etc/passwd", "a/%2E%2E/%2E%2E/b.gpkg"])
def test_only_files_of_the_archive(truth, source):
    assert "only files of the archive, or a URL" in truth(source, code=1)[1].stderr


def test_what_is_no_vector_file_or_not_there(truth):
    (truth.folder / "archive/text.gpkg").write_text("hello")
    assert "text.gpkg cannot be read as vectors" in truth("text.gpkg", code=1)[1].stderr
    assert "absent.gpkg is not in the archive" in truth("absent.gpkg", code=1)[1].stderr


def test_no_source_is_refused_and_nothing_on_the_scene_is_an_empty_collection(truth, make):
    assert truth("none", code=1)[1].stderr.startswith("no ground truth is known for this scene: put a vector file into")
    source = truth.source(make.collection([make.feature(1, [make.ring(50_000, 0, 10)], kind=1)]))
    document, done = truth(source)
    assert document["features"] == []
    assert done.stdout == "0 of 0 polygons (none on this scene)\n"


def test_invalid_polygons_are_repaired_and_others_left_out(truth, make):
    bow = [[500_000, 5_600_000], [500_100, 5_599_900], [500_100, 5_600_000], [500_000, 5_599_900], [500_000, 5_600_000]]
    spike = make.ring(200, 200, 100)
    spike[2:2] = [[500_500, 5_599_800], [500_300, 5_599_800]]
    flat = [[500_000, 5_599_500], [500_100, 5_599_500], [500_050, 5_599_500], [500_000, 5_599_500]]
    line = {
        "type": "Feature",
        "id": 4,
        "properties": {"kind": 1},
        "geometry": {"type": "LineString", "coordinates": flat},
    }
    empty = {"type": "Feature", "id": 5, "properties": {"kind": 1}, "geometry": None}
    polygons = [make.feature(index, [points], kind=1) for index, points in enumerate((bow, spike, flat), 1)]
    document, _ = truth(truth.source(make.collection([*polygons, line, empty])))
    import shapely

    shapes = {one["properties"]["source_id"]: shapely.geometry.shape(one["geometry"]) for one in document["features"]}
    assert {name: (shape.geom_type, shape.is_valid, shape.area) for name, shape in shapes.items()} == {
        "2": ("Polygon", True, 10_000), "1": ("MultiPolygon", True, 5_000),
    }  # fmt: skip


def test_two_layers_with_the_field_have_to_be_told_apart(truth, make):
    import numpy as np
    import pyogrio.raw
    import shapely

    shapes = shapely.to_wkb([shapely.box(500_000, 5_599_900, 500_100, 5_600_000)])
    path = truth.folder / "archive/both.gpkg"
    for index, (layer, column) in enumerate([("old", "kind"), ("new", "kind"), ("roads", "name")]):
        values = [np.array([index])]
        pyogrio.raw.write(
            path, shapes, values, [column], layer=layer, driver="GPKG", crs="EPSG:32633", geometry_type="Polygon",
            append=index > 0,
        )  # fmt: skip
    assert "the layers old, new have a field 'kind': name one by --layer" in truth("both.gpkg", code=1)[1].stderr
    assert truth.classes("both.gpkg", "--layer", "new") == [(1, "1", "1")]
    assert truth.classes("both.gpkg", field="name") == [(2, "2", "1")]
    assert "no layer 'newest'; it has old, new, roads" in truth("both.gpkg", "--layer", "newest", code=1)[1].stderr


def test_a_scene_on_the_antimeridian(truth, make):
    truth.extent(crs="EPSG:32601", transform=[10, 0, 300_000, 0, -10, 7_200_000], width=12_000, height=200)
    west = [[[-180.0, 64.7], [-179.9, 64.7], [-179.9, 64.9], [-180.0, 64.9], [-180.0, 64.7]]]
    east = [[[x + 359.9, y] for x, y in west[0]]]
    source = truth.source(make.collection([make.feature(1, west, kind=1), make.feature(2, east, kind=2)], crs=None))
    assert {row[0] for row in truth.classes(source)} == {1, 2}


def test_no_extent_document(truth):
    (truth.folder / "extent.json").write_text("{}")
    assert "is no extent document" in truth("none", code=1)[1].stderr


def test_real_land_use_through_truth_and_rasterize_is_the_published_raster(truth, real_data):
    import numpy as np
    import rasterio

    patch = real_data / "eolearn-slovenia"
    with rasterio.open(patch / "geotiff/LULC.tif") as raster:
        truth.extent(
            crs=str(raster.crs), transform=list(raster.transform)[:6], width=raster.width, height=raster.height,
            simulated=False,
        )  # fmt: skip
    document, _ = truth("source/TestEOPatch/vector_timeless/LULC.gpkg", archive=patch, field="LULC_ID")
    assert len(document["features"]) == 88
    program = Path(__file__).resolve().parents[2] / "rasterize/rasterize.py"
    out = truth.folder / "classes.tif"
    subprocess.run(
        [sys.executable, program, "--truth", truth.out, "--extent", truth.folder / "extent.json", "--out", out],
        check=True,
    )
    published = np.load(patch / "source/TestEOPatch/mask_timeless/LULC.npy").squeeze()
    with rasterio.open(out) as raster:
        assert (raster.read(1) == published).sum() == published.size == 10_100
    names = {one["properties"]["source_id"] for one in json.loads(truth.out.read_text())["features"]}
    assert len(names) == 88
