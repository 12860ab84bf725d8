"""`job/space.py`: room in the cache that jobs share."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher
from swath.errors import PassingFaultError
from swath.job import space
from swath.job.space import check_space, free_bytes, make_room, note_use

DAY = 24 * 3600


def an_object(cache: Path, value: str, days: float) -> Path:
    """An object that was used some days ago."""
    path = cache / "files/md5" / value[:2] / value[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 1000)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache on a disk with 10,000 bytes, all of them taken or free."""

    def free(_: str) -> int:
        return 10_000 - sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())

    monkeypatch.setattr(space, "free_bytes", free)
    return tmp_path


def test_the_longest_unused_go_first_and_no_more_than_needed(full: Path) -> None:
    paths = [an_object(full, f"{number:032x}", days) for number, days in enumerate((3, 9, 5))]
    assert make_room(str(full), 8_500, ()) == 2000
    assert [path.exists() for path in paths] == [True, False, False]


def test_nothing_goes_while_there_is_room(full: Path) -> None:
    path = an_object(full, "a" * 32, 9)
    assert make_room(str(full), 9000, ()) == 0
    assert path.exists()


def test_what_is_young_or_named_stays(full: Path) -> None:
    young, named = an_object(full, "a" * 32, 0.5), an_object(full, "b" * 32, 9)
    assert make_room(str(full), 10_000, {"b" * 32}) == 0
    assert young.exists()
    assert named.exists()


def test_using_an_object_is_noted(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"d/a": "1"})
    hasher = Hasher(repository)
    cache = Cache(repository, hasher)
    tree = hasher.tree(str(tmp_path / "d"))
    cache.store(str(tmp_path / "d"), tree.content, tree)
    files = [path for path in Path(cache.folder, "files/md5").rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (1, 1))
    note_use(cache, [tree.content])
    assert all(path.stat().st_atime > time.time() - 60 and path.stat().st_mtime == 1 for path in files)


def test_too_little_is_told_with_figures(tmp_path: Path) -> None:
    with pytest.raises(PassingFaultError) as caught:
        check_space(str(tmp_path), str(tmp_path / "cache"), 0, 2**60)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/cache has ")
    assert message.endswith(
        " of free space, the stage needs 1024PiB (1024PiB of it for its inputs): free some, or ask for less (resources.disk)"
    )
    check_space(str(tmp_path), str(tmp_path / "cache"), 1, 1)
    assert free_bytes(str(tmp_path / "not" / "there")) > 0
