"""The catalogue's whole way: folders of scenes to STAC items."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SIMULATE = Path(__file__).resolve().parents[2] / "simulate"
ID = "S2A_L1C_20150711T100008_patch"


def test_real_scenes_have_the_cloud_cover_of_their_tags_and_the_land_use_as_truth(items, slovenia):
    found = items(slovenia)

    assert {name: item["properties"]["eo:cloud_cover"] for name, item in found.items()} == {
        "S2A_L1C_20150711T100008_slovenia-patch": 0.0,
        "S2A_L1C_20150731T100009_slovenia-patch": 100.0,
        "S2A_L1C_20150820T100728_slovenia-patch": 100.0,
        "S2A_L1C_20150830T100547_slovenia-patch": 0.0,
        "S2A_L1C_20150909T100017_slovenia-patch": 0.0,
    }
    for name, item in found.items():
        image, truth = item["assets"]["image"], item["assets"]["truth"]
        assert item["properties"]["datetime"].replace("-", "").replace(":", "")[:15] == name.split("_")[2]
        assert (item["properties"]["processing:level"], item["properties"]["swath:offset"]) == ("L1C", 0)
        assert item["properties"]["swath:simulated"] is False
        assert truth["href"] == "source/TestEOPatch/vector_timeless/LULC.gpkg"
        for asset in (image, truth):
            content = (slovenia / asset["href"]).read_bytes()
            assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
            assert asset["file:size"] == len(content)
        assert [band["name"] for band in image["bands"]][8:10] == ["B8A", "B09"]


def test_real_overcast_scene_with_an_empty_mask_and_no_tag_is_found_by_its_pixels(items, slovenia, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    for name in ("S2A_L1C_20150731T100009", "S2A_L1C_20150820T100728", "S2A_L1C_20150909T100017"):
        with rasterio.open(slovenia / f"geotiff/{name}_slovenia-patch.tif") as source:
            profile, values, bands = source.profile, source.read(), source.descriptions
        (tmp_path / "a").mkdir(exist_ok=True)
        with rasterio.open(tmp_path / f"a/{name}.tif", "w", **profile) as copy:
            copy.write(values)
            copy.descriptions = bands
        with rasterio.open(tmp_path / f"a/{name}.clouds.tif", "w", **profile | {"count": 1, "dtype": "uint8"}) as mask:
            mask.write(values[:1].astype("uint8") * 0)

    clouds = {name: item["properties"]["swath:clouds"] for name, item in items(tmp_path / "a").items()}

    assert {name: facts["used"] for name, facts in clouds.items()} == {
        "S2A_L1C_20150731T100009": "look",
        "S2A_L1C_20150820T100728": "look",
        "S2A_L1C_20150909T100017": "mask",
    }
    assert min(clouds["S2A_L1C_20150731T100009"]["look"], clouds["S2A_L1C_20150820T100728"]["look"]) > 0.9


def test_simulated_archive(items, tmp_path):
    pytest.importorskip("shapely", reason="the simulation needs it")
    done = subprocess.run(
        [sys.executable, str(SIMULATE / "simulate.py"), "--out", str(tmp_path / "a"), "--size", "96"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    found = items(tmp_path / "a")

    properties = [item["properties"] for item in found.values()]
    assert 5 <= len(found) <= 6
    assert all(entry["swath:simulated"] for entry in properties)
    assert {entry["proj:code"] for entry in properties} == {"EPSG:32632", "EPSG:32633"}
    assert sorted({(entry["swath:offset"], entry["s2:processing_baseline"] >= "04.00") for entry in properties}) == [
        (-1000, True), (0, False),
    ]  # fmt: skip
    assert sum(entry["eo:cloud_cover"] > 40 for entry in properties) == 1
    assert {item["assets"]["truth"]["href"] for item in found.values()} == {"truth/landcover.geojson"}
    assert all("clouds" in item["assets"] for item in found.values())


def test_labels_masks_and_pictures_are_no_scenes(items, write_scene, write_mask, tmp_path):
    archive = tmp_path / "a"
    write_scene(archive / "x" / f"{ID}.tif")
    write_mask(archive / "x" / f"{ID}.clouds.tif", 1)
    write_mask(archive / "LULC.tif", 3)
    write_scene(archive / "rgb.tif", dtype="uint8", level=9, names=["B02", "B03", "B04"], count=3)
    write_scene(archive / "other.tif", names=["x"] * 13)
    write_scene(archive / ".hidden" / "y.tif")

    found = items(archive)

    assert list(found) == [ID]
    assert found[ID]["assets"]["clouds"]["href"] == f"x/{ID}.clouds.tif"
    assert found[ID]["properties"]["eo:cloud_cover"] == 100.0


def test_same_bytes_from_any_place_and_with_or_without_memory(run, write_scene, write_truth, tmp_path):
    write_scene(tmp_path / "a" / f"{ID}.tif")
    write_truth(tmp_path / "a" / "labels.geojson", 2)
    shutil.copytree(tmp_path / "a", tmp_path / "elsewhere" / "b")

    texts = set()
    for index, archive in enumerate(("a", "a", "elsewhere/b")):
        run(tmp_path / archive, tmp_path / f"{index}.json")
        texts.add((tmp_path / f"{index}.json").read_text())
    run(tmp_path / "a", tmp_path / "none.json", SWATH_CACHE_DIR="/proc/no/such")
    texts.add((tmp_path / "none.json").read_text())

    assert len(texts) == 1
    assert str(tmp_path) not in texts.pop()


def test_odd_names_become_one_word_hrefs(items, write_scene, write_truth, tmp_path):
    write_scene(tmp_path / "a" / "Höhe, 50 % = $HOME~" / "S2A_L1C_20150711T100008_é (1).tif")
    write_truth(tmp_path / "a" / "my labels.geojson", 2)

    (item,) = items(tmp_path / "a").values()

    assert item["id"] == "S2A_L1C_20150711T100008_é (1)"
    assert item["assets"]["image"]["href"] == (
        "H%C3%B6he%2C%2050%20%25%20%3D%20%24HOME%7E/S2A_L1C_20150711T100008_%C3%A9%20%281%29.tif"
    )
    assert item["assets"]["truth"]["href"] == "my%20labels.geojson"


def test_of_several_vector_files_the_one_with_most_polygons_that_touch(items, write_scene, write_truth, tmp_path):
    archive = tmp_path / "a"
    write_scene(archive / f"{ID}.tif")
    write_truth(archive / "few.geojson", 2)
    write_truth(archive / "many.geojson", 3)
    write_truth(archive / "far.geojson", 9, west=20.0)
    write_truth(archive / "roads.geojson", 9, kind="LineString")
    outline = {"type": "Polygon", "coordinates": [[[14, 45], [15, 45], [15, 46], [14, 46], [14, 45]]]}
    (archive / "outline.geojson").write_text(json.dumps(outline))
    (archive / "broken.geojson").write_text("{")

    assert items(archive)[ID]["assets"]["truth"]["href"] == "many.geojson"
    assert items(archive, "--truth", "f*.geojson")[ID]["assets"]["truth"]["href"] == "few.geojson"
    assert "truth" not in items(archive, "--truth", "none")[ID]["assets"]


def test_one_scene_more_changes_no_other_item(items, write_scene, write_truth, tmp_path):
    write_scene(tmp_path / "a" / f"{ID}.tif")
    write_truth(tmp_path / "a" / "labels.geojson", 2)
    before = items(tmp_path / "a")
    write_scene(tmp_path / "a" / "S2B_L1C_20190711T100008.tif")

    after = items(tmp_path / "a")

    assert after[ID] == before[ID]
    assert len(after) == 2


def test_all_errors_in_one_go_and_nothing_written(run, write_scene, tmp_path):
    archive = tmp_path / "a"
    write_scene(archive / f"{ID}.tif")
    write_scene(archive / "twice" / f"{ID}.tif")
    write_scene(archive / "undated.tif")
    write_scene(archive / "S2A_L1C_20159911T100008.tif")
    write_scene(archive / "S2A_L1C_20150712T100008.tif", tags={"CLOUD_FRACTION": "40 %"})
    write_scene(archive / "S2A_L1C_20150713T100008.tif", tags={"RADIO_ADD_OFFSET": "-1000 -900"})
    write_scene(archive / "S2A_L1C_20150714T100008.tif", crs=None)
    (archive / "S2A_L1C_20150715T100008.tif").write_bytes((archive / "undated.tif").read_bytes()[:90])

    done = run(archive, tmp_path / "out.json", code=1)

    lines = done.stderr.splitlines()
    assert len([line for line in lines if line.startswith("catalogue: ")]) == 7, done.stderr
    for part in ("rename one", "no date", "is no date", "'40 %'", "'-1000 -900'", "georeference", "20150715"):
        assert any(part in line for line in lines), part
    assert not (tmp_path / "out.json").exists()
    assert "Traceback" not in done.stderr


def test_no_folder_and_no_scene_are_one_line(run, tmp_path):
    (tmp_path / "a").mkdir()

    assert run(tmp_path / "b", tmp_path / "o", code=1).stderr.count("\n") == 1
    assert run(tmp_path / "a", tmp_path / "o", code=1).stderr.count("\n") == 1
