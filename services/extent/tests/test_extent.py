"""`extent` on scenes with and without a nodata edge."""

from __future__ import annotations

import json


def write_scene(folder, *, crs="EPSG:32632", simulated="yes"):
    import numpy as np
    import rasterio

    folder.mkdir()
    pixels = np.full((2, 30, 40), 500, dtype="uint16")
    pixels[:, :, :10] = 0  # the edge of the orbit
    pixels[0, 20, 20] = 0  # no data in one band alone is data
    profile = {"driver": "GTiff", "count": 2, "height": 30, "width": 40, "dtype": "uint16", "nodata": 0}
    transform = rasterio.Affine(10, 0, 500_000, 0, -10, 5_600_000)
    with rasterio.open(folder / "scene.tif", "w", **profile, crs=crs, transform=transform) as scene:
        scene.write(pixels)
        scene.update_tags(SIMULATED=simulated, ACQUISITION="2020-06-01T10:00:00Z", ATTRIBUTION="nobody")
    return folder


def test_grid_and_footprint(program, run, tmp_path):
    scene = write_scene(tmp_path / "scene")
    run("--scene", scene, "--out", tmp_path / "made/extent.json")
    extent = json.loads((tmp_path / "made/extent.json").read_text())
    assert extent["crs"] == "EPSG:32632"
    assert extent["transform"] == [10, 0, 500_000, 0, -10, 5_600_000]
    assert (extent["width"], extent["height"]) == (40, 30)
    assert extent["bounds"] == [500_000, 5_599_700, 500_400, 5_600_000]
    assert extent["valid_share"] == 0.75
    [[ring]] = extent["footprint"]["coordinates"]
    assert {x for x, _ in ring} == {500_100, 500_400}
    assert extent["simulated"] is True


def test_same_scene_same_bytes(program, run, tmp_path):
    scene = write_scene(tmp_path / "scene", simulated="no")
    run("--scene", scene, "--out", tmp_path / "a.json")
    run("--scene", scene, "--out", tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json", "scene"]


def test_a_scene_without_a_crs_is_refused(program, run, tmp_path):
    scene = write_scene(tmp_path / "scene", crs=None)
    assert "has no CRS" in run("--scene", scene, "--out", tmp_path / "a.json", code=1).stderr
    assert not (tmp_path / "a.json").exists()
