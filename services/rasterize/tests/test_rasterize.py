"""`rasterize` on drawn polygons and on the real land use of a Slovenian patch."""

from __future__ import annotations

import json

import pytest

EXTENT = {
    "crs": "EPSG:32632",
    "transform": [10, 0, 500_000, 0, -10, 5_600_000],
    "width": 20,
    "height": 10,
    "simulated": True,
}


def square(left, top, edge, value):
    """A square of `edge` pixels whose corner is at pixel (left, top)."""
    west, north = 500_000 + 10 * left, 5_600_000 - 10 * top
    ring = [
        [west, north],
        [west + 10 * edge, north],
        [west + 10 * edge, north - 10 * edge],
        [west, north - 10 * edge],
        [west, north],
    ]
    return {"type": "Feature", "properties": {"class": value}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


@pytest.fixture
def rasterized(program, run, tmp_path):
    """Rasterize features and return the pixels."""

    def rasterize(*features, crs="urn:ogc:def:crs:EPSG::32632", **extent):
        import rasterio

        document = {
            "type": "FeatureCollection",
            "crs": {"type": "name", "properties": {"name": crs}},
            "features": list(features),
        }
        (tmp_path / "truth.geojson").write_text(json.dumps(document))
        (tmp_path / "extent.json").write_text(json.dumps({**EXTENT, **extent}))
        run("--truth", tmp_path / "truth.geojson", "--extent", tmp_path / "extent.json", "--out", tmp_path / "out.tif")
        with rasterio.open(tmp_path / "out.tif") as raster:
            assert raster.nodata == 255
            assert raster.tags()["SIMULATED"] == "yes"
            return raster.read(1)

    return rasterize


@pytest.mark.parametrize("turn", [1, -1])
def test_the_smaller_polygon_is_on_top(rasterized, turn):
    pixels = rasterized(*[square(0, 0, 8, 3), square(2, 2, 3, 7)][::turn])
    assert (pixels[2:5, 2:5] == 7).all()
    assert (pixels == 3).sum() == 64 - 9
    assert (pixels == 255).sum() == 200 - 64


def test_a_pixel_belongs_to_the_polygon_at_its_centre(rasterized):
    assert (rasterized(square(0.4, 0, 4, 1))[0, :6] == [1, 1, 1, 1, 255, 255]).all()
    assert (rasterized(square(0.6, 0, 4, 1))[0, :6] == [255, 1, 1, 1, 1, 255]).all()


def test_no_polygon_gives_no_ground_truth(rasterized, run, tmp_path):
    far = square(1000, 1000, 2, 1)
    assert (rasterized(far) == 255).all()


def test_vectors_go_to_the_rasters_crs(program, rasterized):
    from rasterio.warp import transform_geom

    feature = square(5, 2, 4, 6)
    feature["geometry"] = transform_geom("EPSG:32632", "EPSG:4326", feature["geometry"])
    pixels = rasterized(feature, crs="urn:ogc:def:crs:OGC:1.3:CRS84")
    assert (pixels[2:6, 5:9] == 6).all()
    assert (pixels == 6).sum() == 16


def test_an_unknown_attribute_is_named_with_those_that_exist(program, run, tmp_path):
    document = {"type": "FeatureCollection", "features": [square(0, 0, 2, 1)]}
    (tmp_path / "truth.geojson").write_text(json.dumps(document))
    (tmp_path / "extent.json").write_text(json.dumps(EXTENT))
    words = ("--truth", tmp_path / "truth.geojson", "--extent", tmp_path / "extent.json", "--out", tmp_path / "out.tif")
    done = run(*words, "--attribute", "klass", code=1)
    assert "no attribute 'klass'; it has class" in done.stderr


def test_real_land_use_equals_the_published_raster(program, run, real_data, tmp_path):
    import numpy as np
    import rasterio

    patch = real_data / "eolearn-slovenia"
    with rasterio.open(patch / "geotiff/LULC.tif") as raster:
        extent = {
            "crs": str(raster.crs),
            "transform": list(raster.transform)[:6],
            "width": raster.width,
            "height": raster.height,
        }
    (tmp_path / "extent.json").write_text(json.dumps({**extent, "simulated": False}))
    source = patch / "source/TestEOPatch/vector_timeless/LULC.gpkg"
    run(
        "--truth", source, "--attribute", "LULC_ID", "--extent", tmp_path / "extent.json", "--out", tmp_path / "out.tif"
    )
    published = np.load(patch / "source/TestEOPatch/mask_timeless/LULC.npy").squeeze()
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert (raster.read(1) == published).sum() == published.size == 10_100
