"""`to-png`: a fixed scale, 0 for no data, and a sidecar with what PNG loses."""

from __future__ import annotations

import json

import pytest

SCALE = {"bands": [{"name": "B02", "minimum": 100, "maximum": 1100}, {"name": "B03", "minimum": 0, "maximum": 2000}]}
VALUES = [[0, 1, 100, 600, 1100, 9000]]


@pytest.fixture
def made(program, run, tmp_path):
    import numpy as np
    import rasterio

    profile = {
        "driver": "GTiff",
        "count": 2,
        "height": 1,
        "width": 6,
        "dtype": "uint16",
        "crs": "EPSG:32633",
        "nodata": 0,
    }
    with rasterio.open(
        tmp_path / "image.tif", "w", **profile, transform=rasterio.Affine(10, 0, 7, 0, -10, 9)
    ) as raster:
        for index, name in enumerate(("B02", "B03"), start=1):
            raster.write(np.array(VALUES, dtype="uint16"), index)
            raster.set_band_description(index, name)
        raster.update_tags(SIMULATED="yes", ACQUISITION="2020-06-01T10:00:00Z", ATTRIBUTION="nobody")

    def make(scale=SCALE, **words):
        (tmp_path / "scale.json").write_text(json.dumps(scale))
        given = [word for pair in words.items() for word in (f"--{pair[0]}", pair[1])]
        run("--image", tmp_path / "image.tif", "--scale", tmp_path / "scale.json", *given, "--out", tmp_path / "out")
        return tmp_path / "out"

    return make


def pixels(path):
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(path)).tolist()


def test_eight_bits(made):
    folder = made()
    assert pixels(folder / "B02.png") == [[0, 1, 1, 128, 255, 255]]
    assert sorted(path.name for path in folder.iterdir()) == ["B02.png", "B03.png", "scene.json"]


def test_sixteen_bits_keep_what_eight_throw_away(made):
    assert pixels(made(bits=16) / "B02.png") == [[0, 1, 1, 32768, 65535, 65535]]


def test_the_sidecar_keeps_grid_scale_and_origin(made):
    sidecar = json.loads((made() / "scene.json").read_text())
    assert sidecar["transform"] == [10, 0, 7, 0, -10, 9]
    assert sidecar["crs"] == "EPSG:32633"
    assert sidecar["scale"] == [[100, 1100], [0, 2000]]
    assert (sidecar["bands"], sidecar["bits"], sidecar["simulated"]) == (["B02", "B03"], 8, True)


def test_a_band_without_a_scale_is_named(made, run, tmp_path):
    made()
    (tmp_path / "scale.json").write_text(json.dumps({"bands": SCALE["bands"][:1]}))
    done = run(
        "--image", tmp_path / "image.tif", "--scale", tmp_path / "scale.json", "--out", tmp_path / "other", code=1
    )
    assert "the scale has no band B03" in done.stderr
