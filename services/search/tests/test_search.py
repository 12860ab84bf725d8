"""The search, against recorded hubs and answers of our own making, with the real client over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pystac_client", reason="in the service's own environment: swath service test search")

import yaml
from replay import Rule, cassette_rules, replay

LANDING = {
    "stac_version": "1.0.0", "type": "Catalog", "id": "hub", "description": "made up",
    "conformsTo": ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"],
    "links": [{"rel": "self", "href": "{host}/v1"}, {"rel": "root", "href": "{host}/v1"},
              {"rel": "search", "type": "application/geo+json", "href": "{host}/v1/search", "method": "POST"}],
}  # fmt: skip
JSON = {"Content-Type": "application/json"}


def item(name: str, cloud: float, **properties: object) -> dict[str, object]:
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "bbox": [8, 50, 9, 51], "collection": "c", "links": [],
        "geometry": {"type": "Point", "coordinates": [8.5, 50.5]},
        "properties": {"datetime": "2021-07-14T10:00:00Z", "eo:cloud_cover": cloud, **properties},
        "assets": {"red": {"href": "https://x.example/a b/B04.tif"}, "nir": {"href": "https://x.example/a b/B08.tif"}},
    }  # fmt: skip


def search(run, tmp_path: Path, *words: object):
    done = run(*words, "--scenes", tmp_path / "scenes.yaml", "--items", tmp_path / "items.json")
    text = (tmp_path / "scenes.yaml").read_text() if done.returncode == 0 else ""
    return done, (yaml.safe_load(text) or {}).get("scenes", {}) if text else {}


def test_earth_search_answers_over_the_limit_are_dropped(run, tmp_path, real_data) -> None:
    rules = cassette_rules(real_data / "hub-cassettes/stac/earthsearch_v1_cloudcover_filter.yaml")
    rules[0].plays = None
    rules.append(
        Rule("search", b'{"type": "FeatureCollection", "features": [], "links": []}', method="POST", headers=JSON)
    )
    with replay(rules) as hub:
        done, scenes = search(run, tmp_path, "--backend", "stac", "--url", hub.url + "/v1", "--max-cloud", 40)
        assert done.returncode == 0, done.stderr
        assert [request[0] for request in hub.requests].count("POST") == 3
        assert '"query"' in hub.requests[1][2]
    assert "; 3 of unknown cloud cover, 5 too cloudy" in done.stderr  # radar items; 5 of 17 Sentinel-2 items
    assert all(scene["cloud_cover"] <= 40 for scene in scenes.values())


def test_planetary_computer_items_become_scenes(run, tmp_path, real_data) -> None:
    recorded = cassette_rules(real_data / "hub-cassettes/stac/planetarycomputer_v1_datetime_results.yaml")[0]
    landing = json.dumps(LANDING).replace("{host}/v1", "{host}/api/stac/v1").encode()
    with replay([Rule(r"^/api/stac/v1/?$", landing, headers=JSON), recorded]) as hub:
        done, scenes = search(
            run,
            tmp_path,
            "--backend",
            "stac",
            "--url",
            hub.url + "/api/stac/v1",
            "--collection",
            "sentinel-2-l2a",
            "--max-cloud",
            40,
        )
    assert done.returncode == 0, done.stderr
    assert len(scenes) == 8
    assert all("B02=" in scene["assets"] and scene["offset"] == 0 for scene in scenes.values())


@pytest.mark.parametrize(("status", "code"), [(401, 1), (404, 1), (503, 75)])
def test_status_of_the_hub_decides_the_exit_code(run, tmp_path, status, code) -> None:
    rules = [
        Rule("^/v1/?$", json.dumps(LANDING).encode(), headers=JSON),
        Rule("search", b"no", status, "POST", {"Retry-After": "0"}),
    ]
    with replay(rules) as hub:
        done, _ = search(run, tmp_path, "--backend", "stac", "--url", hub.url + "/v1", "--collection", "c")
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "scenes.yaml").exists()


def test_busy_hub_is_asked_again(run, tmp_path) -> None:
    answer = json.dumps({"type": "FeatureCollection", "features": [item("A", 1), item("B", 50)], "links": []}).encode()
    rules = [
        Rule("^/v1/?$", json.dumps(LANDING).encode(), headers=JSON),
        Rule("search", b"", 429, "POST", {"Retry-After": "0"}, plays=2),
        Rule("search", answer, method="POST", headers=JSON),
    ]
    with replay(rules) as hub:
        done, scenes = search(
            run, tmp_path, "--backend", "stac", "--url", hub.url + "/v1", "--collection", "c", "--max-cloud", 40
        )
    assert done.returncode == 0, done.stderr
    assert scenes["a"]["assets"] == "B04=B04.tif,B08=B08.tif"
    assert scenes["a"]["base"] == "https://x.example/a%20b/"


def test_one_scene_more_changes_no_other_entry(run, tmp_path) -> None:
    results = []
    for names in ("A", "C"), ("A", "B", "C"):
        catalogue = tmp_path / "catalogue.json"
        catalogue.write_text(json.dumps({"features": [item(name, 1) for name in names]}))
        results.append(search(run, tmp_path, "--catalogue", catalogue)[1])
    assert {key: results[1][key] for key in results[0]} == results[0]


def test_nothing_found_says_why(run, tmp_path) -> None:
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps({"features": [item("A", 90)]}))
    done, _ = search(run, tmp_path, "--catalogue", catalogue, "--max-cloud", 40)
    assert done.returncode == 1
    assert done.stderr == (
        "search: no scene meets the search (1 too cloudy); widen --bbox, --start, --end or --max-cloud\n"
    )
