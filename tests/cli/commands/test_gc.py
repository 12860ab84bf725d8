"""`swath gc`: the options, what is printed, the document."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.old_house import OldHouse

NO_ENGINE = "unix:///no/engine/here"  # images of others on this machine's engine are not ours to judge


@pytest.fixture
def house(tmp_path: Path) -> OldHouse:
    made = OldHouse(tmp_path)
    made.version(1)
    made.share()
    made.age()
    return made


def environment(house: OldHouse) -> dict[str, str]:
    return {"DOCKER_HOST": NO_ENGINE, "SWATH_CACHE_DIR": str(house.root / "swath-cache")}


def test_a_remote_is_cleaned_after_a_dry_run(house: OldHouse) -> None:
    before = house.objects()
    said = house.bench.swath("gc", "--remote", "--dry-run", check=True, **environment(house)).stdout
    lines = said.splitlines()
    assert [line.rpartition(", ")[0] for line in lines[:3]] == [
        "the DVC remote 'far': 1 entry of the run cache would go",
        "the DVC remote 'far': 1 listing of a folder would go",
        "the DVC remote 'far': 1 object would go",
    ]
    assert lines[3].startswith("the DVC remote 'far': ")
    assert " would be freed, " in lines[3]
    assert house.objects() == before
    refused = house.bench.swath("gc", "--remote", "far", **environment(house))
    assert refused.returncode == 1
    assert "say so once: --claim" in refused.stderr


def test_the_document_says_what_went(house: OldHouse) -> None:
    folder = house.root / "swath-cache/envs/old"
    folder.mkdir(parents=True)
    os.utime(folder, (1, 1))
    kept = house.named()
    done = house.bench.swath("gc", "--json", check=True, **environment(house))
    document = json.loads(done.stdout)
    assert document["version"] == 1
    assert document["dry_run"] is False
    cache, scratch, environments = document["places"]
    assert scratch["removed"] == []
    assert cache["place"] == f"the cache {house.bench.root}/.dvc/cache"
    assert [each["kind"] for each in cache["removed"]] == ["entry", "listing", "object"]
    assert not any((house.bench.root / ".dvc/cache" / each["path"]).exists() for each in cache["removed"])
    assert document["freed_bytes"] == cache["freed_bytes"] == sum(each["bytes"] for each in cache["removed"])
    assert environments["removed"] == [{"kind": "environment", "path": str(folder), "bytes": 0}]
    assert not folder.exists()
    assert all((house.bench.root / ".dvc/cache/files/md5" / each[:2] / each[2:]).exists() for each in kept)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--remote", "--cache", "/x"], "--remote and --cache are two calls"),
        (["--claim"], "--claim says whose a remote or a cache is: give --remote or --cache"),
        (["--older-than", "soon"], "--older-than: 'soon' is not a duration"),
    ],
)
def test_a_wrong_line_is_told(house: OldHouse, words: list[str], said: str) -> None:
    done = house.bench.swath("gc", *words)
    assert done.returncode == 2
    assert said in done.stderr
