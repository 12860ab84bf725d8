"""`job/space.py`: room in the cache that jobs share."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.cache import Cache
from swath.dvc_border.content import Hasher
from swath.errors import PassingFaultError, UserError
from swath.job import space
from swath.job.space import check_space, drop_unused, free_bytes, make_room, note_use, unused_age

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


def test_objects_of_dvc_2_and_what_killed_jobs_left_go_as_others_do(full: Path) -> None:
    old = full / "ab" / ("c" * 30)
    left = full / "files/md5/ab" / f"{'d' * 30}.0123.tmp"
    other = full / "files/notes/x"
    for path in (old, left, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (1, 1))
    assert make_room(str(full), 10_000, ()) == 2
    assert [path.exists() for path in (old, left, other)] == [False, False, True]


def test_what_was_not_used_for_long_goes_though_there_is_room(tmp_path: Path) -> None:
    paths = [an_object(tmp_path, f"{number:032x}", days) for number, days in enumerate((3, 9, 31))]
    named = an_object(tmp_path, "b" * 32, 99)
    assert drop_unused(str(tmp_path), 30 * DAY, {"b" * 32}) == 1000
    assert [path.exists() for path in (*paths, named)] == [True, True, False, True]


def test_that_is_looked_at_once_a_day(tmp_path: Path) -> None:
    assert drop_unused(str(tmp_path), 30 * DAY, ()) == 0
    path = an_object(tmp_path, "a" * 32, 99)
    assert drop_unused(str(tmp_path), 30 * DAY, ()) == 0
    os.utime(tmp_path / "swath/looked", (time.time() - 2 * DAY,) * 2)
    assert drop_unused(str(tmp_path), 30 * DAY, ()) == 1000
    assert not path.exists()


def test_scratch_folders_of_work_that_nobody_tried_again_go_too(tmp_path: Path) -> None:
    old, young = tmp_path / "swath/scratch" / ("a" * 64), tmp_path / "swath/scratch" / ("b" * 64)
    for folder in (old, young):
        (folder / "cmd").mkdir(parents=True)
        (folder / "cmd/checkpoint").write_bytes(b"x" * 10)
        (folder / "link").symlink_to(tmp_path)
    for path in (old / "cmd/checkpoint", old / "cmd", old):
        os.utime(path, (1, 1))
    os.utime(old / "link", (1, 1), follow_symlinks=False)
    assert drop_unused(str(tmp_path), 30 * DAY, ()) == 10
    assert (old.exists(), young.exists()) == (False, True)


def test_a_cache_that_this_user_may_not_write_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    an_object(tmp_path, "a" * 32, 99)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "unlink", refuse)
    assert drop_unused(str(tmp_path), 30 * DAY, ()) == 0


@pytest.mark.parametrize(("said", "seconds"), [("", 30 * DAY), ("14d", 14 * DAY), ("1h", DAY)])
def test_the_age_is_what_the_variable_says_and_a_day_at_least(said: str, seconds: int) -> None:
    assert unused_age({"SWATH_CACHE_AGE": said}) == seconds


def test_an_age_that_is_none_is_told() -> None:
    with pytest.raises(UserError, match="SWATH_CACHE_AGE: 'soon' is not a duration"):
        unused_age({"SWATH_CACHE_AGE": "soon"})


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


def test_a_file_whose_use_is_noted_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    repository = make_repository(tmp_path, {"a": "1"})
    hasher = Hasher(repository)
    cache = Cache(repository, hasher)
    content = hasher.content(str(tmp_path / "a"))
    assert content is not None
    cache.store(str(tmp_path / "a"), content, None)
    os.utime(cache.path(content), (1, 1))
    note_use(cache, [content])
    assert os.stat(cache.path(content)).st_atime > time.time() - 60
    assert caplog.messages == []


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
