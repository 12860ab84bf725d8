"""`filter-bands`: by name, in the order asked for."""

from __future__ import annotations

import pytest

BANDS = ("B02", "B03", "B04", "B08")


@pytest.fixture
def scene(program, tmp_path):
    import numpy as np
    import rasterio

    folder = tmp_path / "scene"
    folder.mkdir()
    profile = {
        "driver": "GTiff",
        "count": 4,
        "height": 20,
        "width": 30,
        "dtype": "uint16",
        "crs": "EPSG:32632",
        "nodata": 0,
    }
    with rasterio.open(
        folder / "scene.tif", "w", **profile, transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)
    ) as raster:
        for index, name in enumerate(BANDS, start=1):
            raster.write(np.full((20, 30), index * 100, dtype="uint16"), index)
            raster.set_band_description(index, name)
        raster.update_tags(SIMULATED="yes", ACQUISITION="2020-06-01T10:00:00Z")
    return folder


@pytest.mark.parametrize(
    ("words", "expected"), [("B04+B02", "B04 B02"), ("B08,B03", "B08 B03"), ("rgb", "B04 B03 B02")]
)
def test_bands_come_in_the_order_asked_for(program, run, scene, tmp_path, words, expected):
    import rasterio

    run("--scene", scene, "--bands", words, "--out", tmp_path / "made/out.tif")
    with rasterio.open(tmp_path / "made/out.tif") as raster:
        assert list(raster.descriptions) == expected.split()
        assert [raster.read(i).max() for i in raster.indexes] == [
            100 * (BANDS.index(name) + 1) for name in expected.split()
        ]
        assert raster.nodata == 0
        assert raster.tags()["SIMULATED"] == "yes"
        assert raster.transform[:6] == (10, 0, 5e5, 0, -10, 5e6)


def test_same_bytes(program, run, scene, tmp_path):
    for name in ("a.tif", "b.tif"):
        run("--scene", scene, "--bands", "10m", "--out", tmp_path / name)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        ("B04+B11", "no band B11; the scene has B02, B03, B04, B08"),
        ("B04+B04", "each band once"),
        ("B04+", "each band once"),
    ],
)
def test_mistakes_are_named(program, run, scene, tmp_path, bands, message):
    assert message in run("--scene", scene, "--bands", bands, "--out", tmp_path / "out.tif", code=1).stderr
    assert not (tmp_path / "out.tif").exists()
