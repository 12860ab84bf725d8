"""The download from an archive over HTTP: resume, retries, checksums, and the test of the offset."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

pytest.importorskip("rasterio", reason="in the service's own environment: swath service test download")

import numpy as np
import rasterio
from affine import Affine
from replay import Rule, replay


@pytest.fixture
def scene(tmp_path: Path) -> bytes:
    return scene_bytes(tmp_path, lift=0)


def scene_bytes(tmp_path: Path, lift: int) -> bytes:
    random = np.random.default_rng(0)
    numbers = np.stack([random.integers(300, 500, (64, 64)), random.integers(2500, 3500, (64, 64))]) + lift
    numbers[:, :4] = 0
    path = tmp_path / "made.tif"
    with rasterio.open(
        path, "w", driver="GTiff", dtype="uint16", count=2, height=64, width=64, crs="EPSG:32633",
        transform=Affine(10, 0, 500000, 0, -10, 5000000),
    ) as dataset:  # fmt: skip
        dataset.write(numbers.astype("uint16"))
        dataset.descriptions = ("B04", "B08")
    return path.read_bytes()


def download(run, archive: object, out: Path, body: bytes, *more: object):
    digest = f"image=md5:{hashlib.md5(body).hexdigest()}:{len(body)}"
    return run(
        "--archive", archive, "--id", "S", "--datetime", "2021-07-14T10:00:00Z", "--assets", "image=s.tif", "--digests", digest,
        "--out", out, *more,
    )  # fmt: skip


def test_truncated_and_busy_then_resumed(run, tmp_path, scene) -> None:
    rules = [
        Rule("s.tif", scene, cut=1000, plays=1, ranges=True),
        Rule("s.tif", b"", 503, plays=1, headers={"Retry-After": "0"}),
        Rule("s.tif", scene, ranges=True),
    ]
    with replay(rules) as hub:
        done = download(run, hub.url, tmp_path / "out", scene)
        assert done.returncode == 0, done.stderr
        assert [request[3] for request in hub.requests] == [200, 503, 200]
    with rasterio.open(tmp_path / "out/scene.tif") as dataset:
        assert dataset.descriptions == ("B04", "B08")
        assert dataset.nodata == 0


def test_wrong_checksum_leaves_nothing(run, tmp_path, scene) -> None:
    with replay([Rule("s.tif", scene + b"x")]) as hub:
        done = download(run, hub.url, tmp_path / "out", scene)
    assert done.returncode == 1
    assert "wrong checksum" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [(Rule("s.tif", b"", 401), 1), (Rule("s.tif", b"", 429, headers={"Retry-After": "0"}), 75),
     (Rule("s.tif", b"<html>maintenance", headers={"Content-Type": "text/html"}), 75)],
)  # fmt: skip
def test_refusal_and_maintenance(run, tmp_path, scene, rule, code) -> None:
    with replay([rule]) as hub:
        assert download(run, hub.url, tmp_path / "out", scene).returncode == code


@pytest.mark.parametrize(
    ("lift", "stated", "applied", "check"),
    [(0, 0, "0", "ok"), (1000, -1000, "-1000", "ok"), (0, -1000, "0", "corrected"), (1000, 0, "-1000", "corrected")],
)
def test_offset_is_tested_against_the_numbers(run, tmp_path, lift, stated, applied, check) -> None:
    body = scene_bytes(tmp_path, lift)
    (tmp_path / "s.tif").write_bytes(body)
    done = download(run, tmp_path, tmp_path / "out", body, "--offset", stated)
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "out/scene.tif") as dataset:
        assert (dataset.tags()["OFFSET_APPLIED"], dataset.tags()["OFFSET_CHECK"]) == (applied, check)
        assert dataset.read(1)[10:].max() < 500
        assert (dataset.read(1)[:4] == 0).all()


def test_leaving_the_archive_is_refused(run, tmp_path) -> None:
    done = run(
        "--archive", tmp_path, "--id", "S", "--datetime", "x", "--assets", "image=../s.tif", "--out", tmp_path / "out"
    )
    assert (done.returncode, done.stderr) == (1, "download: ../s.tif: leaves the archive\n")
