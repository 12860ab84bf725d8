"""`job/snapshot.py`: what is taken of a folder that others write to, on a real file system."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from swath.dvc_border.content import hash_bytes
from swath.errors import InterruptedRunError
from swath.job.snapshot import Snapshots, Taken


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "inner").mkdir(parents=True)
    (made / "inner/a").write_text("one")
    (made / "b").write_text("two")
    return made


def take(
    folder: Path, name: str, snapshots: Snapshots | None = None, stop: threading.Event | None = None
) -> list[Taken]:
    target = folder.parent / name
    target.mkdir()
    return (snapshots or Snapshots(folder)).take(target, stop)


def test_it_outlives_what_becomes_of_the_folder(folder: Path) -> None:
    found = take(folder, "shot")
    (folder / "new").write_text("three")
    (folder / "new").replace(folder / "b")
    (folder / "inner/a").unlink()
    assert [(each.path, Path(each.place).read_text(), each.md5) for each in found] == [
        ("b", "two", hash_bytes(b"two")),
        ("inner/a", "one", hash_bytes(b"one")),
    ]
    assert not any(each.has_changed for each in found)


def test_a_file_that_is_written_in_place_is_known_by_it(folder: Path) -> None:
    found = take(folder, "shot")
    (folder / "b").write_text("other")
    assert [each.has_changed for each in found] == [True, False]


def test_a_copy_is_never_written_to(folder: Path) -> None:
    (found, _) = take(folder, "shot", Snapshots(folder, {"b"}))
    (folder / "b").write_text("other")
    assert (found.has_changed, Path(found.place).read_text()) == (False, "two")


def test_where_no_hard_link_can_be_made_a_copy_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", link)
    assert [(each.md5, each.mark) for each in take(folder, "shot")] == [
        (hash_bytes(b"two"), None),
        (hash_bytes(b"one"), None),
    ]


def test_what_has_not_changed_is_hashed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = Snapshots(folder)
    first = take(folder, "one", snapshots)
    (folder / "b").write_text("three, now")
    hashed: list[str] = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *args, **more: hashed.append(path.name) or real(path, *args, **more))
    second = take(folder, "two", snapshots)
    assert [each.md5 for each in second] == [hash_bytes(b"three, now"), first[1].md5]
    assert len(hashed) == 1


def test_links_pipes_and_folders_behind_links_are_not_taken(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "away").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    assert [each.path for each in take(folder, "shot")] == ["b", "inner/a"]


def test_folders_without_end_do_no_harm(folder: Path) -> None:
    here, deep = os.getcwd(), folder / "inner"
    os.chdir(deep)
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    try:
        assert [each.path for each in take(folder, "shot")] == ["b", "inner/a"]
    finally:  # no tool of the test's own goes that deep
        os.system(f"rm -rf {deep}")


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert take(tmp_path / "none", "shot") == []


def test_a_stop_ends_it(folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedRunError):
        take(folder, "shot", stop=stop)
