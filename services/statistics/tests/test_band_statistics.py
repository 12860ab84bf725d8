"""`statistics`: a scale from training pixels alone."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def write(program, tmp_path):
    """Write a filtered scene of 8 x 8 px whose upper half is a training tile of 4 px and a test tile beside it."""
    import numpy as np
    import rasterio

    def write(key, values, *, bands=("B02", "B03")):
        (tmp_path / "images").mkdir(exist_ok=True)
        profile = {
            "driver": "GTiff",
            "count": 2,
            "height": 8,
            "width": 8,
            "dtype": "uint16",
            "nodata": 0,
            "crs": "EPSG:32632",
        }
        with rasterio.open(
            tmp_path / f"images/{key}.tif", "w", **profile, transform=rasterio.Affine(10, 0, 0, 0, -10, 0)
        ) as raster:
            for index, name in enumerate(bands, start=1):
                raster.write(np.asarray(values, dtype="uint16") * index, index)
                raster.set_band_description(index, name)
        tiles = [{"row": 0, "column": 0, "part": "train"}, {"row": 0, "column": 4, "part": "test"}]
        (tmp_path / f"tiles/{key}").mkdir(parents=True)
        (tmp_path / f"tiles/{key}/tiles.json").write_text(
            json.dumps({"height": 8, "width": 8, "size": 4, "tiles": tiles})
        )

    return write


@pytest.fixture
def scale(run, tmp_path):
    def scale(*words):
        run("--images", tmp_path / "images", "--tiles", tmp_path / "tiles", *words, "--out", tmp_path / "scale.json")
        return json.loads((tmp_path / "scale.json").read_text())

    return scale


def test_pixels_outside_training_and_no_data_change_nothing(write, scale):
    import numpy as np

    values = np.arange(64).reshape(8, 8) + 100
    values[0, 0] = 0
    write("a", values)
    [first, second] = scale("--low", 0, "--high", 1)["bands"]
    training = values[:4, :4][values[:4, :4] > 0]
    assert (first["minimum"], first["maximum"]) == (training.min(), training.max())
    assert (second["minimum"], second["maximum"]) == (2 * training.min(), 2 * training.max())
    assert first["mean"] == pytest.approx(training.mean(), abs=1e-3)
    assert first["deviation"] == pytest.approx(training.std(), abs=1e-3)


def test_one_scale_for_all_scenes(write, scale):
    import numpy as np

    write("a", np.full((8, 8), 300))
    write("b", np.full((8, 8), 900))
    document = scale("--low", 0, "--high", 1)
    assert document["scenes"] == 2
    assert (document["bands"][0]["minimum"], document["bands"][0]["maximum"]) == (300, 900)


def test_percentiles_leave_out_the_extremes(write, scale):
    import numpy as np

    values = np.full((8, 8), 500)
    values[0, 0], values[0, 1] = 1, 60000 // 2
    write("a", values)
    [band, _] = scale("--low", 0.1, "--high", 0.9)["bands"]
    assert (band["minimum"], band["maximum"]) == (500, 501)


def test_scenes_with_different_bands_are_refused(write, run, tmp_path):
    import numpy as np

    write("a", np.full((8, 8), 500))
    write("b", np.full((8, 8), 500), bands=("B02", "B04"))
    words = ("--images", tmp_path / "images", "--tiles", tmp_path / "tiles", "--out", tmp_path / "scale.json")
    assert "but other scenes have" in run(*words, code=1).stderr


def test_no_scene_is_an_error(program, run, tmp_path):
    (tmp_path / "images").mkdir()
    words = ("--images", tmp_path / "images", "--tiles", tmp_path, "--out", tmp_path / "scale.json")
    assert "did the search find any?" in run(*words, code=1).stderr
