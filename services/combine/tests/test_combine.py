"""`combine`: pairs, counts, and the proof that training saw no test ground."""

from __future__ import annotations

import json

import pytest

SIDECAR = {
    "bands": ["B04"],
    "bits": 8,
    "scale": [[0, 100]],
    "simulated": True,
    "attribution": "nobody",
    "acquired": "2020-06-01",
}
CLASSES = "1=0:broadleaf,2=1:conifer,*=1"
PARTS = (("train", 0), ("validation", 8), ("test", 16))


@pytest.fixture
def scene(program, tmp_path):
    """Write the image and label tiles of a scene: three tiles of 8 px in a row, unless other ones are given."""

    def write(key, *, parts=PARTS, origin=(500_000.0, 5_600_000.0), crs="EPSG:32632", value=1, **sidecar):
        import numpy as np
        from PIL import Image

        images, labels = tmp_path / "images" / key, tmp_path / "labels" / key
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        place = {"crs": crs, "transform": [10, 0, origin[0], 0, -10, origin[1]], "width": 24, "height": 8}
        tiles = []
        for part, column in parts:
            name = f"r00000_c{column:05d}"
            Image.fromarray(np.full((8, 8), 50, dtype="uint8")).save(images / f"{name}.png")
            Image.fromarray(np.full((8, 8), value, dtype="uint8")).save(labels / f"{name}.png")
            tiles.append({"id": name, "row": 0, "column": column, "part": part, "pixels": {str(value): 64}})
        (images / "scene.json").write_text(json.dumps({**SIDECAR, **place, **sidecar}))
        (labels / "tiles.json").write_text(json.dumps({**place, "size": 8, "split": {"seed": 0}, "tiles": tiles}))

    return write


@pytest.fixture
def combine(run, tmp_path):
    def combine(*words, code=0):
        folders = ("--images", tmp_path / "images", "--labels", tmp_path / "labels", "--out", tmp_path / "out")
        return run(*folders, "--classes", CLASSES, *words, code=code)

    return combine


def test_the_manifest_says_all_that_training_needs(scene, combine, tmp_path):
    scene("a")
    scene("b", value=0, simulated=False)
    combine()
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["simulated"] is True, "one simulated scene makes the dataset simulated"
    assert manifest["tile_count"] == {"train": 2, "validation": 2, "test": 2}
    assert manifest["label_pixels"]["test"] == {"0": 64, "1": 64}
    assert [entry["name"] for entry in manifest["classes"]] == ["broadleaf", "conifer"]
    for tile in manifest["tiles"]:
        assert (tmp_path / "out" / tile["part"] / "images" / tile["file"]).exists()
        assert (tmp_path / "out" / tile["part"] / "labels" / tile["file"]).exists()


@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_copies_and_links_hold_the_same(scene, combine, tmp_path, link):
    scene("a")
    combine("--link", link)
    source = tmp_path / "labels/a/r00000_c00000.png"
    target = tmp_path / "out/train/labels/a_r00000_c00000.png"
    assert target.read_bytes() == source.read_bytes()
    assert target.samefile(source) == (link == "hardlink")


def test_training_on_the_test_ground_of_another_date_is_refused(scene, combine, tmp_path):
    scene("a")
    scene("b", parts=(("train", 16), ("validation", 8), ("test", 0)))
    assert "64 test pixels of a lie in training tiles of b" in combine(code=1).stderr
    assert not (tmp_path / "out").exists()


def test_a_leak_is_found_across_utm_zones(program, scene, combine):
    from rasterio.warp import transform

    (x,), (y,) = transform("EPSG:32632", "EPSG:32633", [500_000.0], [5_600_000.0])
    scene("a")
    scene(
        "b",
        crs="EPSG:32633",
        origin=(x - 40, y + 40),
        parts=(("train", 16), ("train", 8), ("validation", 0), ("test", 0)),
    )
    assert "lie in training tiles of b" in combine(code=1).stderr


@pytest.mark.parametrize(
    ("change", "message"), [({"scale": [[0, 99]]}, "differ in scale"), ({"bands": ["B08"]}, "differ in bands")]
)
def test_scenes_must_be_alike(scene, combine, change, message):
    scene("a")
    scene("b", **change)
    assert message in combine(code=1).stderr


def test_an_unnamed_class_and_a_missing_part_are_named(scene, combine):
    scene("a", value=7)
    assert "classes [7] that the class table does not name" in combine(code=1).stderr


def test_a_dataset_without_test_tiles_is_refused(scene, combine):
    scene("a", parts=PARTS[:2])
    assert "no test tile" in combine(code=1).stderr


def test_a_scene_without_labels_is_refused(scene, combine, tmp_path):
    scene("a")
    (tmp_path / "images/b").mkdir()
    assert "they must be the same" in combine(code=1).stderr


def test_class_indices_without_a_gap(program):
    assert [entry["name"] for entry in program.parse_classes("7=1:b,3=0:a,*=1")] == ["a", "b"]
    with pytest.raises(SystemExit, match="without a gap"):
        program.parse_classes("7=2:b,3=0:a")
