"""Ground truth over OGC API Features and WFS on loopback, and from a file."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("pyogrio", reason="in the service's own environment: swath service test truth")

from replay import Rule, replay

EXTENT = {"crs": "EPSG:32633", "transform": [10, 0, 500000, 0, -10, 5000000], "width": 100, "height": 100,
          "bounds": [500000, 4999000, 501000, 5000000]}  # fmt: skip
JSON = {"Content-Type": "application/geo+json"}


def square(number: int, kind: str) -> dict[str, object]:
    west, south = 15.001 + number / 1000, 45.145
    ring = [[west, south], [west + 0.001, south], [west + 0.001, south + 0.001], [west, south + 0.001], [west, south]]
    return {"type": "Feature", "id": number, "properties": {"kind": kind}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def truth(run, tmp_path, *words):  # noqa: ANN001, ANN002, ANN201
    (tmp_path / "extent.json").write_text(json.dumps(EXTENT))
    out = tmp_path / "truth.geojson"
    done = run("--field", "kind", "--classes", "oak=0:broadleaf,*=3:other", "--extent", tmp_path / "extent.json", "--out", out, *words)
    return done, json.loads(out.read_text())["features"] if done.returncode == 0 else []


def test_ogcapi_pages(run, tmp_path) -> None:
    first = {"features": [square(1, "oak")], "links": [{"rel": "next", "href": "{host}/c/items?page=2"}]}
    second = {"features": [square(2, "road")], "links": []}
    rules = [
        Rule(r"items\?bbox", b"", 503, plays=1),
        Rule(r"items\?bbox", json.dumps(first).encode(), headers=JSON),
        Rule(r"page=2", json.dumps(second).encode(), headers=JSON),
    ]
    with replay(rules) as hub:
        done, features = truth(run, tmp_path, "--source", hub.url + "/c/items")
    assert done.returncode == 0, done.stderr
    assert sorted((feature["properties"]["class"], feature["properties"]["name"]) for feature in features) == [
        (0, "broadleaf"), (3, "other"),
    ]  # fmt: skip
    east, north = features[0]["geometry"]["coordinates"][0][0]
    assert 500000 <= east <= 501000
    assert 4998000 <= north <= 5001000


def test_wfs_asks_latitude_first(run, tmp_path) -> None:
    answer = {"features": [square(1, "oak")], "numberMatched": 1}
    with replay([Rule("GetFeature", json.dumps(answer).encode(), headers=JSON)]) as hub:
        done, features = truth(run, tmp_path, "--source", hub.url + "/wfs", "--layer", "ns:stands")
        assert done.returncode == 0, done.stderr
        assert "bbox=45." in hub.requests[0][1]
    assert len(features) == 1


def test_server_down_is_passing(run, tmp_path) -> None:
    with replay([Rule("items", b"", 503)]) as hub:
        assert truth(run, tmp_path, "--source", hub.url + "/c/items")[0].returncode == 75


def test_unknown_attribute(run, tmp_path) -> None:
    source = tmp_path / "a.geojson"
    source.write_text(json.dumps({"type": "FeatureCollection", "features": [square(1, "oak")]}))
    done = run("--field", "typo", "--extent", tmp_path / "extent.json", "--source", source, "--out", tmp_path / "o")
    assert done.returncode == 1
