"""`clean/collect.py`: what others bring or restore while a remote is cleaned, and what keeps what."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.old_house import OldHouse
from swath.clean.places import GcOptions
from swath.dvc_border.remote_files import RemoteFiles
from swath.model.lock_entry import entry_hash
from swath.schema.lock_text import render_run_cache_entry

OPTIONS = GcOptions(30 * 24 * 3600, claims=True, pause=lambda _: None)


@pytest.fixture
def house(tmp_path: Path) -> OldHouse:
    """One version that a branch names; the one before it is named by nobody."""
    made = OldHouse(tmp_path)
    made.before = made.named()  # type: ignore[attr-defined]
    made.version(1)
    made.share()
    made.age()
    return made


def before(house: OldHouse) -> set[str]:
    """What only the version before names."""
    found: set[str] = house.before  # type: ignore[attr-defined]
    return found - house.named()


def path_of(house: OldHouse, value: str) -> Path:
    return house.far / "files/md5" / value[:2] / value[2:]


def test_without_anything_else_all_of_it_goes(house: OldHouse) -> None:
    assert house.clean(OPTIONS) >= before(house)
    assert not house.objects() & before(house)


def test_the_files_of_a_young_listing_stay_however_old_they_are(house: OldHouse) -> None:
    listing = next(value for value in before(house) if value.endswith(".dir"))
    os.utime(path_of(house, listing))
    house.clean(OPTIONS)
    members = {value for value in before(house) if value in path_of(house, listing).read_text()}
    assert {listing, *members} <= house.objects()
    assert members


def test_what_a_young_entry_names_stays(house: OldHouse) -> None:
    named = house.bench.command("git", "show", "HEAD~1:dvc.lock").stdout
    entry = next(path for path in (house.far / "runs").glob("??/*/*") if _names_of(path) & set(named.split()))
    os.utime(entry)
    assert not house.clean(OPTIONS) & before(house)


def _names_of(path: Path) -> set[str]:
    return {word for word in path.read_text().split() if len(word) in {32, 36}}


def test_a_listing_that_is_pushed_again_meanwhile_keeps_its_files(
    house: OldHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = next(value for value in before(house) if value.endswith(".dir"))
    data, real = path_of(house, listing).read_bytes(), RemoteFiles.remove

    def remove(files: RemoteFiles, paths: Sequence[str]) -> None:
        real(files, paths)
        if any(path.endswith(".dir") for path in paths):
            path_of(house, listing).write_bytes(data)

    monkeypatch.setattr(RemoteFiles, "remove", remove)
    house.clean(OPTIONS)
    members = {item for item in before(house) if not item.endswith(".dir") and item in data.decode()}
    assert members <= house.objects()


def test_another_result_of_the_same_inputs_stays_while_all_of_it_is_there(house: OldHouse) -> None:
    entry = dict(house.bench.lock()["make"])
    other = {**entry, "outs": [dict(item) for item in entry["outs"]][::-1]}
    gone = {**entry, "outs": [{**item, "md5": "d" * 32} for item in entry["outs"]]}
    key = next((house.far / "runs").glob(f"??/*/{entry_hash(entry)}")).parent
    for each in (other, gone):
        path = key / entry_hash(each)
        path.write_text(render_run_cache_entry(each))
        os.utime(path, (1, 1))
    house.clean(OPTIONS)
    assert house.entries() == {entry_hash(entry), entry_hash(other)}


def test_listings_go_before_their_files_and_entries_before_both(
    house: OldHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    real = RemoteFiles.remove

    def remove(files: RemoteFiles, paths: Sequence[str]) -> None:
        removed.extend(paths)
        real(files, paths)

    monkeypatch.setattr(RemoteFiles, "remove", remove)
    house.clean(OPTIONS)
    kinds = ["entry" if path.startswith("runs/") else "dir" if path.endswith(".dir") else "file" for path in removed]
    assert kinds == sorted(kinds, key=["entry", "dir", "file"].index)
    assert set(kinds) == {"entry", "dir", "file"}
