"""`job/scratch.py`: a folder that outlives a job, in the remote."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.job.scratch import Scratch


@pytest.fixture
def store(tmp_path: Path) -> RemoteStore:
    root = make_repository(tmp_path / "repo", {}).root
    (root / ".dvc/config").write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {tmp_path}/far\n")
    return RemoteStore(Repository(root))


def scratch(tmp_path: Path, store: RemoteStore, machine: str = "one") -> Scratch:
    made = Scratch(tmp_path, tmp_path / machine, "k" * 64, store)
    made.folder.mkdir(exist_ok=True)
    return made


def test_it_comes_to_another_machine(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    assert here.fetch() == 0
    here.folder.mkdir()
    (here.folder / "cmd").mkdir()
    (here.folder / "cmd/epoch").write_text("1")
    here.keep()
    (here.folder / "cmd/epoch").write_text("2")
    (here.folder / "cmd/best").write_text("2")
    here.keep()
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 2
    assert (there.folder / "cmd/epoch").read_text() == "2"
    assert len(list((tmp_path / "far/swath/scratch").rglob("*"))) == 1 + 2  # the folder, the manifest, one content
    there.drop()
    assert scratch(tmp_path, store, "three").fetch() == 0
    assert not [path for path in (tmp_path / "far/swath/scratch").rglob("*") if path.is_file()]


def test_a_damaged_one_is_left_aside(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    (here.folder / "a").write_text("1")
    here.keep()
    for path in (tmp_path / "far/swath/scratch").rglob("*"):
        if path.is_file() and path.name != "manifest.json":
            path.write_text("x")
    assert scratch(tmp_path, store, "two").fetch() == 0


@pytest.mark.parametrize("text", ["[", "[1]", '{"../a": "b"}', '{"/a": "b"}', '{"a": 1}'])
def test_a_manifest_that_leads_elsewhere_is_left_aside(tmp_path: Path, store: RemoteStore, text: str) -> None:
    store.write_text(f"swath/scratch/{'k' * 64}/manifest.json", text)
    assert scratch(tmp_path, store).fetch() == 0


def test_it_is_sent_now_and_then(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    with here.kept_at_times(0.05):
        (here.folder / "a").write_text("1")
        until = time.monotonic() + 10
        while not (tmp_path / "far/swath/scratch").exists() and time.monotonic() < until:
            time.sleep(0.02)
    assert scratch(tmp_path, store, "two").fetch() == 1
