"""`clean/environments.py`: environments that nobody has used for long."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from swath.clean.environments import clean_environments, clean_scratch
from swath.clean.places import GcOptions

DAY = 24 * 3600


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name, is_old in (("old", True), ("young", False), ("left.7.tmp", True)):
        folder = tmp_path / "envs" / name
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/python").write_text("12345")
        (folder / "lib").symlink_to("/")
        if is_old:
            os.utime(folder, (1, 1))
    return tmp_path / "envs"


def clean(base: Path, *, dry_run: bool = False) -> tuple[list[str], int, int]:
    found = clean_environments({"SWATH_CACHE_DIR": str(base.parent)}, GcOptions(30 * DAY, dry_run=dry_run))
    return [Path(each.name).name for each in found.things], found.kept, found.things[0].size if found.things else 0


def test_what_nobody_has_used_for_long_goes(base: Path) -> None:
    assert clean(base, dry_run=True) == (["left.7.tmp", "old"], 1, 5)
    assert (base / "old").exists()
    assert clean(base) == (["left.7.tmp", "old"], 1, 5)
    assert sorted(path.name for path in base.iterdir() if path.is_dir()) == ["young"]


def test_one_that_is_being_made_stays(base: Path) -> None:
    with (base / "old.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert clean(base)[0] == ["left.7.tmp"]
    assert (base / "old").exists()


def test_without_any_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert clean(tmp_path / "none") == ([], 0, 0)


def test_scratch_folders_in_which_nothing_was_written_for_long_go(tmp_path: Path) -> None:
    for name in ("old", "young"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "checkpoint").write_text("12345")
        (tmp_path / name / "link").symlink_to("/etc")
    for path in (tmp_path / "old/checkpoint", tmp_path / "old"):
        os.utime(path, (1, 1))
    os.utime(tmp_path / "old/link", (1, 1), follow_symlinks=False)
    (tmp_path / "old.inputs").write_text("")
    dry = clean_scratch(tmp_path, GcOptions(30 * DAY, dry_run=True))
    assert (tmp_path / "old").exists()
    found = clean_scratch(tmp_path, GcOptions(30 * DAY))
    assert dry == found
    assert [(Path(each.name).name, each.size) for each in found.things] == [("old", 5)]
    assert [(tmp_path / name).exists() for name in ("old", "young")] == [False, True]
    assert Path("/etc/passwd").exists()
