"""`split`: who sees which ground."""

from __future__ import annotations

import json

import pytest

ORIGIN = (500_000.0, 5_600_000.0)


@pytest.fixture
def scene(tmp_path):
    """Write a scene with its ground truth and return both paths."""

    def write(name="a", *, shape=(160, 160), crs="EPSG:32632", origin=ORIGIN, cloud=None, empty=None):
        import numpy as np
        import rasterio

        rng = np.random.default_rng(1)
        profile = {"driver": "GTiff", "count": 1, "height": shape[0], "width": shape[1], "crs": crs}
        profile["transform"] = rasterio.Affine(10, 0, origin[0], 0, -10, origin[1])
        folder = tmp_path / name
        folder.mkdir()
        pixels = np.full(shape, 700, dtype="uint16")
        if empty:
            pixels[empty] = 0
        with rasterio.open(folder / "scene.tif", "w", dtype="uint16", **profile) as raster:
            raster.write(pixels, 1)
        if cloud:
            mask = np.zeros(shape, dtype="uint8")
            mask[cloud] = 1
            with rasterio.open(folder / "clouds.tif", "w", dtype="uint8", **profile) as raster:
                raster.write(mask, 1)
        with rasterio.open(tmp_path / f"{name}.tif", "w", dtype="uint8", nodata=255, **profile) as raster:
            raster.write(rng.integers(0, 3, shape, dtype="uint8"), 1)
            raster.update_tags(SIMULATED="yes")
        return tmp_path / f"{name}.tif", folder

    return write


@pytest.fixture
def tiles(program, run, scene, tmp_path):
    """Split a scene and return the document and the label of each tile."""

    def cut(*words, name="a", **kinds):
        import numpy as np
        from PIL import Image

        truth, folder = scene(name, **kinds)
        out = tmp_path / f"tiles-{name}"
        run("--truth", truth, "--scene", folder, "--size", 16, "--stride", 4, *words, "--out", out)
        document = json.loads((out / "tiles.json").read_text())
        return document, {tile["id"]: np.asarray(Image.open(out / f"{tile['id']}.png")) for tile in document["tiles"]}

    return cut


def cover(document, part, labels=None):
    """How often each pixel is in a tile of the part; with `labels`, how often it is labelled there."""
    import numpy as np

    count = np.zeros((document["height"], document["width"]), dtype=int)
    size = document["size"]
    for tile in document["tiles"]:
        if tile["part"] == part:
            box = np.s_[tile["row"] : tile["row"] + size, tile["column"] : tile["column"] + size]
            count[box] += 1 if labels is None else labels[tile["id"]] != 255
    return count


def test_training_sees_no_ground_that_is_evaluated(tiles):
    document, labels = tiles("--block", 400)
    seen = cover(document, "train") > 0
    assert seen.any()
    assert not (seen & (cover(document, "test", labels) > 0)).any()
    assert not (seen & (cover(document, "validation", labels) > 0)).any()
    assert not ((cover(document, "validation") > 0) & (cover(document, "test", labels) > 0)).any()


def test_validation_pixels_count_once_and_test_pixels_are_all_covered(program, tiles):
    import rasterio

    document, labels = tiles("--block", 400)
    assert cover(document, "validation", labels).max() == 1
    ground = program.Ground("blocks", (0.6, 0.15, 0.25), 400, (0, 0), 0)
    parts = program.part_map(ground, document["crs"], rasterio.Affine(*document["transform"]), (160, 160))
    assert ((cover(document, "test", labels) > 0) == (parts == 2)).all()


def test_the_same_ground_has_the_same_part_in_another_utm_zone(program):
    import numpy as np
    import rasterio
    from rasterio.warp import transform

    ground = program.Ground("blocks", (0.6, 0.15, 0.25), 2000, (0, 0), 3)
    (left,), (top,) = transform("EPSG:4326", "EPSG:32632", [12.0], [50.0])
    here = rasterio.Affine(10, 0, left, 0, -10, top)
    parts = program.part_map(ground, "EPSG:32632", here, (400, 400))
    rows, columns = np.mgrid[5:400:20, 5:400:20]
    xs, ys = transform("EPSG:32632", "EPSG:32633", left + (columns.ravel() + 0.5) * 10, top - (rows.ravel() + 0.5) * 10)
    other = [
        program.part_map(ground, "EPSG:32633", rasterio.Affine(10, 0, x - 5, 0, -10, y + 5), (1, 1))[0, 0]
        for x, y in zip(xs, ys, strict=True)
    ]
    assert (parts[rows.ravel(), columns.ravel()] == other).all()
    assert len(set(other)) == 3


def test_any_region_gets_its_shares(program):
    import numpy as np

    ground = program.Ground("blocks", (0.6, 0.15, 0.25), 1000, (0, 0), 0)
    for east, north in ((0, 0), (123_000, 5_000_000), (-9_000_000, -700_000)):
        x, y = np.meshgrid(east + np.arange(12) * 1000.0 + 1, north + np.arange(12) * 1000.0 + 1)
        rank = program.position(ground, x, y)
        assert abs((rank < 0.6).mean() - 0.6) < 0.06
        assert abs((rank >= 0.75).mean() - 0.25) < 0.06


def test_strips_run_from_west_to_east(tiles):
    from rasterio.warp import transform

    west, east = transform("EPSG:32632", "EPSG:4326", [500_000, 501_600], [5_600_000, 5_600_000])[0]
    document, labels = tiles("--method", "strips", "--west", west, "--east", east)
    assert cover(document, "train")[:, 96:].sum() == 0
    assert cover(document, "test", labels)[:, 122:].all()
    assert cover(document, "test", labels)[:, :118].sum() == 0


def test_clouds_and_no_data_are_neither_learnt_nor_counted(tiles):
    import numpy as np

    cloud, empty = np.s_[40:80, 40:80], np.s_[:, 150:]
    document, labels = tiles("--block", 400, cloud=cloud, empty=empty)
    for part in ("train", "validation", "test"):
        assert cover(document, part, labels)[cloud].sum() == 0
        assert cover(document, part, labels)[empty].sum() == 0
    clear, _ = tiles("--block", 400, name="clear")
    assert len(document["tiles"]) < len(clear["tiles"])
    assert document["usable_share"] == pytest.approx(1 - (40 * 40 + 160 * 10) / 160**2, abs=1e-4)


def test_same_scene_same_bytes(tiles, tmp_path):
    tiles("--block", 400)
    tiles("--block", 400, name="b")
    for path in (tmp_path / "tiles-a").iterdir():
        assert path.read_bytes() == (tmp_path / "tiles-b" / path.name).read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", 200), "do not hold a tile of 200 px"),
        (("--shares", "0.6,0.6,0.1"), "sum to 1"),
        (("--shares", "half"), "expected 3 numbers"),
        (("--method", "strips"), "needs --west and --east"),
        (("--size", 16, "--overlap", 16), "must be smaller than --size"),
    ],
)
def test_mistakes_are_named(program, run, scene, tmp_path, words, message):
    truth, folder = scene()
    done = run("--truth", truth, "--scene", folder, "--size", 16, *words, "--out", tmp_path / "out", code=1)
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
