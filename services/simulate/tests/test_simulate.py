"""The simulated archive: the form of docs/reference/scene-format.md, its traps, and the same bytes twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="in the service's own environment: swath service test simulate")
rasterio = pytest.importorskip("rasterio", reason="in the service's own environment: swath service test simulate")
features = pytest.importorskip("rasterio.features")
warp = pytest.importorskip("rasterio.warp")

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
NAMES = ["broadleaf", "conifer", "mixed", "grassland", "cropland", "built-up", "water"]


def scenes(archive: Path) -> list[Path]:
    return sorted(path for path in (archive / "scenes").glob("SIM_*.tif") if not path.stem.endswith(".clouds"))


def read(path: Path):
    """Reflectance x 10000 (the offset added), the mask, and the data set's facts."""
    with rasterio.open(path) as raster:
        values, tags, profile = raster.read().astype("int64"), raster.tags(), raster.profile
    with rasterio.open(path.with_name(f"{path.stem}.clouds.tif")) as raster:
        mask = raster.read(1)
        assert (raster.transform, raster.crs, raster.nodata) == (profile["transform"], profile["crs"], 255)
    return np.where(values > 0, values + int(tags["RADIO_ADD_OFFSET"]), 0), mask, tags, profile


def labels(archive: Path, profile) -> np.ndarray:
    document = json.loads((archive / "truth/landcover.geojson").read_text())
    shapes = [
        (warp.transform_geom("EPSG:4326", profile["crs"], feature["geometry"]), feature["properties"]["class_id"])
        for feature in document["features"]
    ]
    shape = (profile["height"], profile["width"])
    return features.rasterize(shapes, out_shape=shape, transform=profile["transform"])


def test_scenes_have_the_form_of_real_ones_and_say_that_they_are_simulated(archive):
    found = scenes(archive)

    assert 5 <= len(found) <= 6
    for path in found:
        with rasterio.open(path) as raster:
            assert (raster.count, set(raster.dtypes), raster.descriptions) == (13, {"uint16"}, BANDS)
            assert (raster.width, raster.height, raster.nodata, raster.res) == (128, 128, 0, (10, 10))
            assert {"SIMULATED": "yes", "LEVEL": "L1C"}.items() <= raster.tags().items()
            assert raster.tags()["ACQUISITION"] in path.name
            assert "Contains modified Copernicus Sentinel data [2015]" in raster.tags()["ATTRIBUTION"]
    assert "Nothing here was seen by a satellite" in (archive / "README.md").read_text()


def test_two_zones_seasons_and_one_offset(archive):
    facts = [read(path)[2:] for path in scenes(archive)]

    assert {profile["crs"].to_string() for _, profile in facts} == {"EPSG:32632", "EPSG:32633"}
    assert len({tags["ACQUISITION"][4:6] for tags, _ in facts}) >= 4
    assert sorted(tags["RADIO_ADD_OFFSET"] for tags, _ in facts)[:2] == ["-1000", "0"]
    assert all((tags["PROCESSING_BASELINE"] >= "04.00") == (tags["RADIO_ADD_OFFSET"] == "-1000") for tags, _ in facts)


def test_no_data_is_zero_in_all_bands_and_255_in_the_mask(archive):
    edges = []
    for path in scenes(archive):
        values, mask, _, _ = read(path)
        empty = (values == 0).all(axis=0)
        assert ((values == 0).any(axis=0) == empty).all()
        assert ((mask == 255) == empty).all()
        edges.append(empty.mean())
    assert sorted(edges)[-2:][0] == 0
    assert 0.03 < max(edges) < 0.4


def test_clouds_are_bright_and_one_overcast_scene_has_an_empty_mask(archive):
    overcast, some = [], []
    for path in scenes(archive):
        values, mask, tags, _ = read(path)
        assert float(tags["CLOUD_FRACTION"]) == pytest.approx((mask == 1).mean() / (mask != 255).mean(), abs=1e-3)
        if np.median(values[1]) > 1800:
            overcast.append((mask == 1).any())
        elif (mask == 1).any():
            some.append(path)
            assert values[1][mask == 1].mean() > 1.3 * values[1][mask == 0].mean()
    assert overcast == [False]
    assert some


def test_classes_look_like_themselves_and_offset_scenes_like_the_others(archive):
    ndvi = {}
    for path in scenes(archive):
        values, mask, _, profile = read(path)
        if np.median(values[1]) > 1800:
            continue
        truth = labels(archive, profile)
        assert (truth[mask == 0] > 0).mean() > 0.99
        red, near = values[3].astype(float), values[8].astype(float)
        for number in np.unique(truth[truth > 0]):
            here = (truth == number) & (mask == 0)
            ndvi.setdefault(int(number), []).append(((near - red)[here] / (near + red)[here]).mean())
    means = {number: np.mean(values) for number, values in ndvi.items()}
    assert min(means[number] for number in (1, 2, 3)) > 0.6
    assert means[7] < 0.1 < means[5] < means[1]
    assert max(max(values) - min(values) for number, values in ndvi.items() if number in (1, 2, 3)) < 0.25


def test_truth_is_valid_and_the_class_table_complete(archive):
    shapely = pytest.importorskip("shapely")
    document = json.loads((archive / "truth/landcover.geojson").read_text())
    table = json.loads((archive / "truth/classes.json").read_text())

    assert [(entry["id"], entry["name"]) for entry in table] == list(enumerate(NAMES, start=1))
    assert all(entry["colour"].startswith("#") for entry in table)
    assert {feature["properties"]["class_id"] for feature in document["features"]} == set(range(1, 8))
    for feature in document["features"]:
        assert feature["properties"]["class_name"] == NAMES[feature["properties"]["class_id"] - 1]
        assert shapely.geometry.shape(feature["geometry"]).is_valid


def test_same_bytes_into_a_used_folder_and_other_bytes_with_another_seed(run, archive, tmp_path):
    used = tmp_path / "b"
    (used / "scenes").mkdir(parents=True)
    (used / "scenes" / "SIM_old.tif").write_text("of an older version")
    (used / "scenes" / "mine.tif").write_text("kept")
    run("--out", used, "--size", 128)
    run("--out", tmp_path / "c", "--size", 128, "--seed", 7)

    def contents(folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert contents(used) == contents(archive) | {"scenes/mine.tif": b"kept"}
    other = contents(tmp_path / "c")
    assert other.keys() == contents(archive).keys()
    assert other["truth/landcover.geojson"] != contents(archive)["truth/landcover.geojson"]


def test_user_errors_are_one_line(run, tmp_path):
    (tmp_path / "file").write_text("")

    assert run("--out", tmp_path / "a", "--size", 3, code=1).stderr.count("\n") == 1
    assert run("--out", tmp_path / "file", code=1).stderr.count("\n") == 1
