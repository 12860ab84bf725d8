"""The catalogue of the real Slovenian scenes."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("rasterio", reason="in the service's own environment: swath service test catalogue")


def test_real_scenes(run, tmp_path, real_data) -> None:
    out = tmp_path / "catalogue.json"
    texts = []
    for _ in range(2):
        done = run("--archive", real_data / "eolearn-slovenia", "--out", out)
        assert done.returncode == 0, done.stderr
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    assert str(real_data) not in texts[0]
    items = json.loads(texts[0])["features"]
    assert [item["properties"]["eo:cloud_cover"] for item in items] == [0, 100, 100, 0, 0]
    assert {item["assets"]["truth"]["href"] for item in items} == {"source/TestEOPatch/vector_timeless/LULC.gpkg"}


def test_folder_without_scenes(run, tmp_path) -> None:
    done = run("--archive", tmp_path, "--out", tmp_path / "catalogue.json")
    assert done.returncode == 1
    assert "no scene found" in done.stderr
