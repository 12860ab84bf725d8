"""Locks and caches that DVC 2 wrote (`md5` without `hash`, objects not under files/md5): we do what DVC 3 does with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from support.repositories import CLEAN, Bench, make_repository

FILES = {
    "in.txt": "one\r\ntwo\r\n",
    "other.txt": "other\n",
    "dvc.yaml": {
        "stages": {
            "first": {"cmd": "head -1 in.txt > mid", "deps": ["in.txt"], "outs": ["mid"]},
            "second": {
                "cmd": "mkdir -p out && cp mid out/a && cp other.txt out/b",
                "deps": ["mid", "other.txt"],
                "outs": ["out"],
            },
        }
    },
}


def as_dvc2(bench: Bench) -> None:
    """Run with DVC, then put everything into DVC 2's form: hashes with line ends made equal, objects at its places."""
    bench.command("dvc", "repro", "-q")
    lock = yaml.safe_load(bench.read("dvc.lock"))
    cache = bench.root / ".dvc" / "cache"
    from swath.dvc_border.content import Hasher
    from swath.dvc_border.repository import Repository

    hasher = Hasher(Repository(bench.root))
    for entry in lock["stages"].values():
        for item in (*entry["deps"], *entry["outs"]):
            del item["hash"]
            content = hasher.legacy_content(str(bench.root / item["path"]))
            assert content is not None
            item["md5"] = content.value
    bench.write({"dvc.lock": lock})
    for path in sorted((cache / "files" / "md5").rglob("*")):
        if path.is_file():
            target = cache / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
    shutil.rmtree(cache / "files")
    mid = hasher.legacy_content(str(bench.root / "mid"))
    assert mid is not None
    target = cache / mid.value[:2] / mid.value[2:]
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(bench.root / "mid", target)
    target.chmod(0o444)
    tree = hasher.legacy_content(str(bench.root / "out"))
    assert tree is not None
    inner = hasher.legacy_content(str(bench.root / "out" / "a"))
    other = hasher.legacy_content(str(bench.root / "out" / "b"))
    assert inner is not None
    assert other is not None
    listing = f'[{{"md5": "{inner.value}", "relpath": "a"}}, {{"md5": "{other.value}", "relpath": "b"}}]'
    target = cache / tree.value[:2] / tree.value[2:]
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        target.write_text(listing)
        target.chmod(0o444)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A repository in DVC 2's form that DVC 3 finds up to date."""
    bench = make_repository(tmp_path / "ours", FILES)
    as_dvc2(bench)
    assert bench.dvc_status() == CLEAN
    return bench


def test_nothing_runs_and_the_lock_stays_as_it_is(bench: Bench) -> None:
    before = bench.read("dvc.lock")
    assert bench.did() == {}
    assert bench.read("dvc.lock") == before


@pytest.mark.parametrize("change", [{"other.txt": "changed\n"}, {"in.txt": "one\r\nthree\r\n"}, {"in.txt": "new\r\n"}])
def test_after_a_change_the_lock_is_what_dvc_makes_of_it(bench: Bench, tmp_path: Path, change: dict[str, str]) -> None:
    shutil.copytree(bench.root, tmp_path / "theirs", symlinks=True)
    theirs = Bench(tmp_path / "theirs")
    for each in (bench, theirs):
        each.write(change)
    theirs.command("dvc", "repro", "-q")
    bench.run()
    assert bench.lock() == theirs.lock()
    assert bench.dvc_status() == CLEAN
