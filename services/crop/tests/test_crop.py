"""`crop`: the same windows as the labels, bands below each other."""

from __future__ import annotations

import json

import pytest

PLACE = {"crs": "EPSG:32632", "transform": [10, 0, 0, 0, -10, 0], "width": 40, "height": 30}
TILES = [{"id": "r00002_c00005", "row": 2, "column": 5}, {"id": "r00014_c00024", "row": 14, "column": 24}]


@pytest.fixture
def folders(program, tmp_path):
    def write(kind="uint8", **place):
        import numpy as np
        from PIL import Image

        bands = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (2, 30, 40)).astype(kind)
        for name in ("images", "tiles"):
            (tmp_path / name).mkdir()
        for name, band in zip(("B04", "B03"), bands, strict=True):
            Image.fromarray(band).save(tmp_path / f"images/{name}.png")
        (tmp_path / "images/scene.json").write_text(json.dumps({**PLACE, "bands": ["B04", "B03"]}))
        (tmp_path / "tiles/tiles.json").write_text(json.dumps({**PLACE, **place, "size": 16, "tiles": TILES}))
        return bands

    return write


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_tile_holds_its_window_of_each_band(run, folders, tmp_path, kind):
    import numpy as np
    from PIL import Image

    bands = folders(kind)
    run("--images", tmp_path / "images", "--tiles", tmp_path / "tiles", "--out", tmp_path / "out")
    tile = np.asarray(Image.open(tmp_path / "out/r00002_c00005.png"))
    assert tile.shape == (32, 16)
    assert (tile.reshape(2, 16, 16) == bands[:, 2:18, 5:21]).all()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "r00002_c00005.png",
        "r00014_c00024.png",
        "scene.json",
    ]


def test_another_grid_is_refused(run, folders, tmp_path):
    folders(width=41)
    done = run("--images", tmp_path / "images", "--tiles", tmp_path / "tiles", "--out", tmp_path / "out", code=1)
    assert "differ in width: 40 and 41" in done.stderr
