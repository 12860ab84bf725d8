"""Reading from a STAC hub over HTTP: only the box, one grid of 10 m, signed addresses, clear endings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("rasterio", reason="in the service's own environment: swath service test download")

import numpy as np
import rasterio
from affine import Affine
from rasterio.io import MemoryFile
from replay import Rule, replay

BOX = ("--bbox", 9.001, "--bbox", 50.545, "--bbox", 9.010, "--bbox", 50.55)
EDGE_M = 1200


def raster(resolution: int, values: np.ndarray) -> bytes:
    size = EDGE_M // resolution
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", dtype=values.dtype, count=1, height=size, width=size, crs="EPSG:32632", nodata=0, tiled=True,
            blockxsize=16, blockysize=16, transform=Affine(resolution, 0, 500_000, 0, -resolution, 5_600_000),
        ) as dataset:  # fmt: skip
            dataset.write(values, 1)
        return memory.read()


def flat(resolution: int, value: int, dtype: str = "uint16") -> bytes:
    size = EDGE_M // resolution
    values = np.full((size, size), value, dtype)
    values[:, -120 // resolution :] = 0  # the edge of the orbit, 120 m
    return raster(resolution, values)


@pytest.fixture
def files() -> list[Rule]:
    ramp = np.arange(60, dtype="uint16")[None, :].repeat(60, axis=0) * 20 + 2000
    scl = np.full((60, 60), 4, "uint8")
    scl[:10], scl[10:20] = 9, 3  # cloud, its shadow
    content = {
        "B04": flat(10, 1300), "B08": flat(10, 4000), "B11": raster(20, ramp), "B01": flat(60, 1500), "SCL": raster(20, scl),
    }  # fmt: skip
    return [Rule(f"/{name}.tif", body, ranges=True) for name, body in content.items()]


def download(run, base: str, out: Path, *more: object):
    assets = "B01=B01.tif,B04=B04.tif,B08=B08.tif,B11=B11.tif,scl=SCL.tif"
    return run(
        "--backend", "stac", "--id", "X", "--datetime", "2023-05-01T10:00:00Z", "--level", "L2A", "--baseline", "05.09",
        "--offset", -1000, "--base", base, "--assets", assets, "--out", out, *more,
    )  # fmt: skip


def test_box_on_a_grid_of_ten_metres(run, tmp_path, files) -> None:
    with replay(files) as hub:
        done = download(run, f"{hub.url}/s/", tmp_path / "out", *BOX)
        again = download(run, f"{hub.url}/s/", tmp_path / "again", *BOX)
    assert done.returncode == again.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "out/scene.tif") as scene:
        assert scene.descriptions == ("B01", "B04", "B08", "B11")
        assert scene.crs == rasterio.CRS.from_epsg(32632)
        assert scene.transform[:3] == (10, 0, 500_070)
        assert [edge % 10 for edge in scene.bounds] == [0, 0, 0, 0]
        tags = scene.tags()
        coastal, red, infrared, shortwave = scene.read()
    assert (tags["OFFSET_APPLIED"], tags["OFFSET_CHECK"], tags["LEVEL"]) == ("-1000", "ok", "L2A")
    assert {coastal.max(), red.max(), infrared.max()} == {500, 300, 3000}
    assert set(np.diff(shortwave[5].astype(int))) == {10}  # 20 per pixel of 20 m: interpolated, not repeated
    with rasterio.open(tmp_path / "out/clouds.tif") as clouds:
        assert (clouds.transform, clouds.nodata) == (scene.transform, 255)
        mask = clouds.read(1)
    assert (mask[:19] == 1).all()
    assert (mask[19:] == 0).all()
    assert (tmp_path / "out/scene.tif").read_bytes() == (tmp_path / "again/scene.tif").read_bytes()


def test_whole_scene_with_its_edge(run, tmp_path, files) -> None:
    with replay(files) as hub:
        assert download(run, f"{hub.url}/s/", tmp_path / "out").returncode == 0
    with rasterio.open(tmp_path / "out/scene.tif") as scene:
        numbers = scene.read()
    assert numbers.shape == (4, 120, 120)
    assert (numbers[:, :, -11:] == 0).all()
    assert (numbers[:, :, :-12] > 0).all()
    assert ((numbers == 0).all(axis=0) == (numbers == 0).any(axis=0)).all()


def test_only_the_blocks_under_the_box_are_read(run, tmp_path, files) -> None:
    with replay(files) as hub:
        words = ("--bands", "B04", *BOX)
        assert download(run, f"{hub.url}/s/", tmp_path / "out", *words).returncode == 0
        asked = {request[1] for request in hub.requests}
    assert asked == {"/s/B04.tif", "/s/B08.tif", "/s/SCL.tif"}  # B08 tells whether the offset is right
    with rasterio.open(tmp_path / "out/scene.tif") as scene:
        assert scene.descriptions == ("B04",)


def test_a_busy_store_is_asked_again(run, tmp_path, files) -> None:
    busy = [Rule("/B04.tif", b"", 503, plays=1), Rule("/B08.tif", b"", 429, plays=1)]
    with replay([*busy, *files]) as hub:
        done = download(run, f"{hub.url}/s/", tmp_path / "out", *BOX)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("status", "code"), [(404, 1), (403, 1), (503, 75)])
def test_status_decides_the_exit_code(run, tmp_path, files, status, code) -> None:
    with replay([Rule("/B11.tif", b"", status), *files]) as hub:
        done = download(run, f"{hub.url}/s/", tmp_path / "out", *BOX)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("download: ")
    assert done.stderr.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_addresses_are_signed_and_signatures_kept_secret(run, tmp_path, files) -> None:
    for rule in files:
        rule.path += r"\?sig=secret"
    signatures = [
        Rule(rf"/sign\?href=.*{name}", json.dumps({"href": f"{{host}}/s/{name}.tif?sig=secret"}).encode())
        for name in ("B01", "B04", "B08", "B11", "SCL")
    ]
    with replay([*signatures, *files]) as hub:
        done = download(run, f"{hub.url}/s/", tmp_path / "out", *BOX, "--sign-url", f"{hub.url}/sign")
        assert done.returncode == 0, done.stderr
        assert all("sig=secret" in request[1] for request in hub.requests if request[1].startswith("/s/"))
    assert "secret" not in (tmp_path / "out/item.json").read_text() + done.stderr + done.stdout


def test_a_box_beside_the_scene(run, tmp_path, files) -> None:
    with replay(files) as hub:
        words = ("--bbox", 10, "--bbox", 51, "--bbox", 10.1, "--bbox", 51.1)
        done = download(run, f"{hub.url}/s/", tmp_path / "out", *words)
    assert (done.returncode, done.stderr) == (1, "download: the box and the scene share no ground\n")
