# SPDX-License-Identifier: GPL-3.0-or-later
"""`search-dhus` with the real client, against recorded answers and ones of our own making."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

AMAZON = [word for degrees in (-66.2695, -8.0592, -57.3047, 0.7031) for word in (f"--bbox={degrees}",)]
FIELDS = [
    "assets", "backend", "base", "baseline", "cloud_cover", "datetime", "digests", "id", "level", "offset", "simulated",
    "truth", "truth_digest",
]  # fmt: skip


@pytest.fixture
def search(run, hub, tmp_path):
    """Run a search; returns (scenes, items, the finished process)."""
    import yaml

    def start(*words, code=0, **environment):
        scenes, items = tmp_path / "made/scenes.yaml", tmp_path / "made/items.json"
        done = run(
            "--url", hub.url, "--scenes", scenes, "--items", items, "--retries", 0, *words, code=code, **environment
        )
        if code:
            assert not scenes.exists()
            return {}, [], done
        return yaml.safe_load(scenes.read_text())["scenes"], json.loads(items.read_text())["features"], done

    return start


def product(title, uuid, *, cloud=5.0, taken="2024-06-01T10:00:31.024Z", baseline="05.10", west=14.0):
    """A product as a hub describes it, of our own making."""
    ring = ", ".join(f"{x} {y}" for x, y in [(west, 45), (west + 1, 45), (west + 1, 46), (west, 46), (west, 45)])
    level = title[7:10].replace("L", "Level-")
    texts = {
        "platformname": "Sentinel-2", "processinglevel": level, "producttype": f"S2MSI{title[8:10]}", "uuid": uuid,
        "footprint": f"MULTIPOLYGON ((({ring})))", "processingbaseline": baseline, "size": "700 MB",
    }  # fmt: skip
    return {
        "title": title,
        "id": uuid,
        "link": [{"href": f"products/{uuid}"}],
        "date": [{"name": "beginposition", "content": taken}],
        "double": {"name": "cloudcoverpercentage", "content": str(cloud)},
        "str": [{"name": name, "content": value} for name, value in texts.items()],
    }


def feed(replay, *entries):
    """A search answer of our own making."""
    found = {"opensearch:totalResults": str(len(entries)), "entry": list(entries)}
    return replay.Answer(json.dumps({"feed": found}).encode(), headers={"Content-Type": "application/json"})


def test_the_recorded_search_gives_its_five_products(search, hub, cassettes):
    hub.load(cassettes / "test_s2_cloudcover.yaml")
    scenes, items, done = search(*AMAZON, "--start", "2018-12-12", "--end", "2018-12-27", "--max-cloud", 10)
    assert done.stderr == "5 scenes; none dropped\n"
    assert list(scenes) == sorted(scenes)
    assert len(scenes) == 5
    for key, entry in scenes.items():
        assert list(entry) == FIELDS
        assert re.fullmatch("product=[0-9a-f-]{36}", entry["assets"])
        assert (entry["backend"], entry["base"], entry["digests"]) == ("dhus", hub.url, "none")
        assert key == entry["id"].lower().replace("_", "-")
        assert (entry["cloud_cover"] <= 10, entry["offset"], entry["datetime"][:7]) == (True, 0, "2018-12")
    assert {entry["level"] for entry in scenes.values()} == {"L1C", "L2A"}
    assert [item["id"] for item in items] == [entry["id"] for entry in scenes.values()]
    assert all(item["properties"]["dhus"]["platformname"] == "Sentinel-2" for item in items)


def test_the_recorded_refusal_of_an_account(client, hub, cassettes):
    hub.load(cassettes / "test_SentinelAPI_wrong_credentials.yaml")
    message = "refuses the account in DHUS_USER and DHUS_PASSWORD"
    with pytest.raises(client.HubError, match=message) as caught, client.explained(hub.url):
        client.connect(hub.url, 0).query("POLYGON((0 0,1 1,0 1,0 0))", ("20150101", "20150102"))
    assert "\n" not in str(caught.value)


def test_the_recorded_refusal_of_a_query(client, hub, cassettes):
    hub.load(cassettes / "test_invalid_query.yaml")
    with pytest.raises(client.HubError) as caught, client.explained(hub.url):
        client.connect(hub.url, 0).query(raw="xxx:yyy")
    assert re.fullmatch(f"{hub.url} refuses the query: .* xxx", str(caught.value))


@pytest.mark.parametrize("status", [200, 502])
def test_the_recorded_maintenance_page_is_a_passing_fault(search, hub, replay, cassettes, status):
    page = (cassettes / "server_maintenance.html").read_bytes()
    hub.every = replay.Answer(page, status, {"Content-Type": "text/html"})
    stderr = search(code=75)[2].stderr
    assert stderr.startswith(f"search-dhus: {hub.url} answers {status}: ")
    assert "maintenance" in stderr
    assert stderr.count("\n") == 1


def test_an_account_that_is_refused_is_one_line(search, hub, replay):
    hub.every = replay.Answer(b"<html><h1>Unauthorized</h1></html>", 401, {"WWW-Authenticate": 'Basic realm="x"'})
    stderr = search(code=1)[2].stderr
    assert stderr == f"search-dhus: {hub.url} refuses the account in DHUS_USER and DHUS_PASSWORD (401)\n"


def test_without_an_account_nothing_is_asked(search, hub):
    stderr = search(code=1, DHUS_PASSWORD="")[2].stderr
    assert stderr == "search-dhus: a hub needs an account: set DHUS_USER and DHUS_PASSWORD\n"
    assert hub.requests == []


def test_what_the_hub_answers_is_checked_again(search, hub, replay):
    hub.every = feed(
        replay,
        product("S2A_MSIL2A_one", "u1"),
        product("S2A_MSIL2A_two", "u2", cloud=41),
        product("S2A_MSIL2A_three", "u3", taken="2024-07-01T00:00:00.000Z"),
        product("S2A_MSIL2A_four", "u4", west=30),
        product("S2B_MSIL1C_five", "u5"),
    )
    words = ["--bbox=14.2", "--bbox=45.2", "--bbox=14.3", "--bbox=45.3", "--start", "2024-06-01", "--end", "2024-06-30"]
    scenes, items, done = search(*words, "--max-cloud", 40, "--collection", "S2MSI2A", "--truth", "land use.gpkg")
    assert done.stderr == "1 scenes; 1 of another collection, 1 outside the box, 1 outside the dates, 1 too cloudy\n"
    [entry] = scenes.values()
    assert list(entry) == FIELDS
    assert (entry["offset"], entry["truth"], entry["id"]) == (-1000, "land%20use.gpkg", "S2A_MSIL2A_one")
    assert items[0]["bbox"] == [14, 45, 15, 46]


def test_the_query_and_the_account_that_are_sent(search, hub, replay):
    hub.every = feed(replay, product("S2A_MSIL2A_one", "u1"))
    search("--query", "tileid:33TVL", "--max-cloud", 12.5, "--start", "2024-06-01", "--end", "2024-06-30")
    [(_, path, headers)] = hub.requests
    [query] = parse_qs(urlsplit(path).query)["q"]
    assert query == (
        'beginPosition:["2024-06-01T00:00:00Z" TO "2024-07-01T00:00:00Z"] cloudcoverpercentage:["0" TO "12.5"] '
        'platformname:"Sentinel-2" tileid:33TVL'
    )
    assert headers["Authorization"].startswith("Basic ")


def test_the_clearest_are_kept_and_equal_answers_give_equal_bytes(search, hub, replay, tmp_path):
    entries = [product(f"S2A_MSIL2A_{index}", f"u{index}", cloud=index) for index in (3, 1, 2)]
    hub.every = feed(replay, *entries)
    assert [entry["cloud_cover"] for entry in search("--limit", 2)[0].values()] == [1, 2]
    first = (tmp_path / "made/scenes.yaml").read_bytes(), (tmp_path / "made/items.json").read_bytes()
    hub.every = feed(replay, *entries[::-1])
    search("--limit", 2)
    assert ((tmp_path / "made/scenes.yaml").read_bytes(), (tmp_path / "made/items.json").read_bytes()) == first


def test_a_busy_hub_is_asked_again(search, hub, replay):
    hub.first = [replay.Answer(b"busy", 503)]
    hub.every = feed(replay, product("S2A_MSIL2A_one", "u1"))
    assert len(search("--retries", 2)[0]) == 1
    assert len(hub.requests) == 2


def test_a_hub_that_is_not_there_is_a_passing_fault(run, tmp_path):
    words = ("--url", "http://127.0.0.1:9/dhus", "--retries", 0, "--scenes", tmp_path / "s", "--items", tmp_path / "i")
    assert run(*words, code=75).stderr == (
        "search-dhus: http://127.0.0.1:9/dhus does not answer (ConnectionError); try again later\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--start", "June"], "--start and --end are days, YYYY-MM-DD: Invalid isoformat string: 'June'"),
        (["--start", "2024-02-01", "--end", "2024-01-01"], "--start 2024-02-01 is after --end 2024-01-01"),
        (["--bbox", "1"], "--bbox needs west, south, east, north in degrees: --bbox 14 --bbox 45 --bbox 15 --bbox 46"),
    ],
)
def test_wrong_wishes(search, words, message):
    assert search(*words, code=1)[2].stderr == f"search-dhus: {message}\n"


def test_nothing_found_is_an_error_with_a_hint(search, hub, replay):
    hub.every = feed(replay)
    assert "no scene meets the search (none dropped); widen --bbox" in search(code=1)[2].stderr


@pytest.mark.parametrize("name", ["hub.py", "tests/replay.py", "tests/conftest.py", "LICENSE"])
def test_what_both_services_have_is_equal(name):
    here = Path(__file__).resolve().parents[1]
    assert (here / name).read_bytes() == (here.with_name("download-dhus") / name).read_bytes()
