"""What stands in scenes.yaml: safe words, safe keys, and entries that depend on their own scene alone."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("pystac_client", reason="in the service's own environment: swath service test search")

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

WORD = re.compile(r"[A-Za-z0-9_./:=@+%,][A-Za-z0-9_./:=@+%,-]*")
KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
REAL_IDS = [
    "S2A_L1C_20150711T100008_slovenia-patch", "S2B_24MVV_20250731_0_L2A",
    "S2A_MSIL2A_20190101T000001_R116_T60VUK_20201007T214652",
]  # fmt: skip


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("search_program", Path(__file__).resolve().parents[1] / "search.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


search = load()


def item(name: str, cloud: float = 1, href: str = "s.tif", **properties: object) -> dict[str, object]:
    return {
        "type": "Feature", "id": name, "bbox": [8, 50, 9, 51],
        "properties": {"datetime": "2021-07-14T10:00:00Z", "eo:cloud_cover": cloud, **properties},
        "assets": {"image": {"href": href, "file:checksum": "d50110" + "0" * 32, "file:size": 5}},
    }  # fmt: skip


def text_of(items: list[dict[str, object]]) -> str:
    keys = search.scene_keys([one["id"] for one in items])
    return search.scenes_text({keys[one["id"]]: search.entry(one, "archive", "none") for one in items})


names = st.one_of(st.sampled_from(REAL_IDS), st.text(min_size=1, max_size=20))


@settings(max_examples=200, deadline=None)
@given(st.lists(names, min_size=1, max_size=6, unique=True), names, st.text(min_size=1, max_size=20))
def test_one_scene_more_adds_one_entry_and_changes_no_other(ids: list[str], new: str, href: str) -> None:
    try:
        before = text_of([item(name, href=href) for name in ids])
        after = text_of([item(name, href=href) for name in [*ids, new]])
    except search.SearchError as error:
        assert "differ only in case" in str(error)
        return
    old, grown = (yaml.safe_load(text)["scenes"] for text in (before, after))
    assert set(before.splitlines()) <= set(after.splitlines())
    assert len(grown) == len({*ids, new})
    assert {key: grown[key] for key in old} == old
    for key, fields in grown.items():
        assert KEY.fullmatch(key)
        assert fields.keys() == next(iter(grown.values())).keys()
        assert all(WORD.fullmatch(value) for value in fields.values() if isinstance(value, str)), fields


def test_keys_of_real_ids_are_readable() -> None:
    assert [search.scene_key(name) for name in REAL_IDS] == [name.lower().replace("_", "-") for name in REAL_IDS]


def test_ids_that_differ_only_in_case_are_refused() -> None:
    with pytest.raises(search.SearchError, match="the ids A_b and a-B differ only in case, - and _: rename one"):
        search.scene_keys(["A_b", "a-B"])


@pytest.mark.parametrize(
    ("box", "wanted", "meet"),
    [
        ([8, 50, 9, 51], (8.5, 50.5, 8.6, 50.6), True),
        ([8, 50, 9, 51], (9.5, 50.5, 9.6, 50.6), False),
        ([8, 50, 0, 9, 51, 100], (8.5, 50.5, 8.6, 50.6), True),  # with heights
        ([179, 50, -179, 51], (179.5, 50, 180, 51), True),  # over the antimeridian
        ([178, 50, 179, 51], (177.5, 50, -179, 51), True),
        ([10, 50, 11, 51], (177.5, 50, -179, 51), False),
    ],
)
def test_boxes(box: list[float], wanted: tuple[float, ...], meet: bool) -> None:  # noqa: FBT001 - a case
    assert search.meets(box, wanted) is meet


@pytest.mark.parametrize(
    ("properties", "asset", "offset"),
    [
        ({"s2:processing_baseline": "02.12"}, {}, 0),
        ({"s2:processing_baseline": "05.11"}, {}, -1000),  # Planetary Computer
        ({"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": True}, {"raster:bands": [{"offset": -0.1}]}, 0),
        ({"s2:processing_baseline": "05.11"}, {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}, -1000),
        ({"processing:version": "05.11"}, {"raster:offset": -0.1, "bands": [{"name": "B02"}]}, -1000),  # Copernicus
        ({"s2:processing_baseline": "05.11", "swath:offset": 0}, {}, 0),
    ],
)  # fmt: skip
def test_offset_as_hubs_state_it(properties: dict[str, object], asset: dict[str, object], offset: int) -> None:
    scene = item("S2B_T32", **properties)
    scene["assets"] = {"B02": {"href": "https://hub.example/B02.tif", **asset}}
    assert search.entry(scene, "stac", "none")["offset"] == offset


def test_finest_file_of_each_band_is_taken() -> None:
    scene = item("S2B_MSIL2A_T32")
    scene["assets"] = {
        f"{band}_{size}m": {"href": f"s3://eodata/R{size}m/{band}.jp2", "type": "image/jp2"}
        for band, size in (("B02", 60), ("B02", 10), ("B02", 20), ("B05", 60), ("B05", 20), ("SCL", 60), ("SCL", 20))
    }
    entry = search.entry(scene, "stac", "none")
    assert entry["base"] == "s3://eodata/"
    assert entry["assets"] == "B02=R10m/B02.jp2,B05=R20m/B05.jp2,scl=R20m/SCL.jp2"
    assert entry["level"] == "L2A"


def test_a_hub_that_pages_in_a_circle_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LARGEST_ANSWER", 10)
    wish = search.Wish(None, search.date.min, search.date.max, 100, 0, None)

    def endless():
        while True:
            yield item("A")

    with pytest.raises(search.SearchError, match="more than 10 scenes answer"):
        search.choose(endless(), wish)


def test_unknown_cloud_cover_is_not_clear(tmp_path: Path) -> None:
    del tmp_path
    scene = item("A")
    del scene["properties"]["eo:cloud_cover"]  # type: ignore[attr-defined] # a dict
    for most, kept in ((40, 0), (100, 1)):
        wish = search.Wish(None, search.date.min, search.date.max, most, 0, None)
        assert len(search.choose([scene], wish)[0]) == kept
    assert search.entry(scene, "archive", "none")["cloud_cover"] == 100.0


def test_text_is_the_same_for_the_same_scenes() -> None:
    items = [item(name) for name in REAL_IDS]
    assert text_of(items) == text_of(json.loads(json.dumps(items[::-1])))
