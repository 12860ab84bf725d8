"""Single decisions: dates, baselines, offsets, clouds, what is remembered."""

from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize(
    ("stem", "tags", "expected"),
    [
        ("S2A_L1C_20150711T100008_patch", {}, "2015-07-11T10:00:08Z"),
        ("S2B_MSIL2A_20230502T101559_N0509_R065_T32UMB_20230502T140000", {}, "2023-05-02T10:15:59Z"),
        ("x", {"ACQUISITION": "2015-07-11T10:00:08.123Z"}, "2015-07-11T10:00:08Z"),
        ("S2A_20150101T000000", {"ACQUISITION": "20150711T100008"}, "2015-07-11T10:00:08Z"),
        ("T33UUP_2015-07-11", {}, "2015-07-11T00:00:00Z"),
    ],
)
def test_time(modules, stem, tags, expected):
    assert modules["rasters"].time_of(stem, tags) == expected


@pytest.mark.parametrize(
    ("stem", "tags", "baseline", "offset"),
    [
        ("a", {}, None, 0),
        ("a", {"PROCESSING_BASELINE": "02.09"}, "02.09", 0),
        ("a", {"PROCESSING_BASELINE": "04.00"}, "04.00", -1000),
        ("S2A_MSIL1C_20150711T100008_N0500_R1", {}, "05.00", -1000),
        ("a", {"PROCESSING_BASELINE": "05.09", "BOA_ADD_OFFSET": "0"}, "05.09", 0),
        ("a", {"RADIO_ADD_OFFSET": "-1000,-1000"}, None, -1000),
        ("a", {"PROCESSING_BASELINE": "none"}, None, 0),
    ],
)
def test_baseline_and_offset(modules, stem, tags, baseline, offset):
    assert modules["rasters"].baseline_of(stem, tags) == baseline
    assert modules["rasters"].offset_of(stem, tags) == offset


@pytest.mark.parametrize(
    ("tag", "mask", "look", "expected"),
    [
        (0.0, None, 0.0, (0.0, "tag")),
        (1.0, 0.0, 0.94, (1.0, "tag")),
        (0.1, 0.5, 0.2, (0.5, "mask")),
        (0.0, 0.0, 0.9, (0.9, "look")),
        (None, None, 0.3, (0.3, "look")),
        (None, None, None, (0.0, "none")),
        (0.6, None, 0.8, (0.6, "tag")),
    ],
)
def test_cloud_cover(modules, tag, mask, look, expected):
    assert modules["catalogue"].cloud_cover(tag, mask, look) == expected


def test_look_knows_clouds_from_snow_and_adds_the_offset(modules, write_scene, tmp_path):
    read = modules["rasters"].read_scene

    assert read(write_scene(tmp_path / "grass.tif"))["look"] == 0.0
    assert read(write_scene(tmp_path / "white.tif", level=4000))["look"] == 1.0
    assert read(write_scene(tmp_path / "shifted.tif", level=2700, tags={"RADIO_ADD_OFFSET": "-1000"}))["look"] == 1.0
    assert read(write_scene(tmp_path / "dark.tif", level=1005, tags={"RADIO_ADD_OFFSET": "-1000"}))["look"] == 0.0
    assert read(write_scene(tmp_path / "empty.tif", level=0))["look"] == 0.0


def test_l2a_without_descriptions(modules, write_scene, tmp_path):
    facts = modules["rasters"].read_scene(write_scene(tmp_path / "a.tif", names=None, count=12))

    assert (facts["bands"][9:], modules["rasters"].level_of("a", facts)) == (["B09", "B11", "B12"], "L2A")
    assert modules["rasters"].read_scene(write_scene(tmp_path / "b.tif", names=None, count=4)) is None


def test_memory_serves_unchanged_files_and_sees_changed_ones(modules, tmp_path, monkeypatch):
    monkeypatch.setenv("SWATH_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "a" / "x"
    path.parent.mkdir()
    path.write_text("one")
    monkeypatch.setattr(modules["memory"], "RACY_S", -60)
    calls = []

    def ask(what="f"):
        memory = modules["memory"].Memory(tmp_path / "a")
        memory.recall(path, what, lambda file: calls.append(file.read_text()))
        memory.save()

    ask()
    ask()
    path.write_text("two")
    ask()
    state = path.stat()
    path.write_text("six")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    ask()

    assert calls == ["one", "two", "six"]


def test_memory_does_not_keep_what_was_just_written(modules, tmp_path, monkeypatch):
    monkeypatch.setenv("SWATH_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "x"
    path.write_text("one")
    calls = []
    for _ in range(2):
        memory = modules["memory"].Memory(tmp_path)
        memory.recall(path, "f", lambda file: calls.append(file.name))
        memory.save()

    assert calls == ["x", "x"]
    assert modules["memory"].Memory(tmp_path).digest(path) == modules["memory"].sha256_of(path)
