"""Copies: the same bytes, the same holes, and an end when it is told to stop."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swath.errors import InterruptedRunError
from swath.files import copying
from swath.files.copying import copy_file, copy_tree

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 2**20


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 5, os.urandom(3 * MIB + 1)], ids=["empty", "one", "zeros", "many"])
def test_the_bytes_are_the_same(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "b").write_text("what was there before, and longer than some of the new content")
    copy_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == data


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3)), max_size=4), st.integers(0, 60))
def test_holes_stay_holes(parts: list[tuple[int, int]], size: int) -> None:
    with tempfile.TemporaryDirectory() as top:
        source, target = Path(top, "a"), Path(top, "b")
        with source.open("wb") as file:
            for at, length in parts:
                file.seek(at * 64 * 1024)
                file.write(b"x" * length * 64 * 1024)
            file.truncate(max(size * 64 * 1024, file.tell()))
        copy_file(str(source), str(target))
        assert target.read_bytes() == source.read_bytes()
        assert target.stat().st_blocks <= source.stat().st_blocks


@pytest.mark.parametrize("refusal", [errno.EXDEV, errno.ENOSYS, None], ids=["devices", "old kernel", "nothing copied"])
def test_what_the_kernel_does_not_copy_is_copied_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int | None
) -> None:
    def refuse(*_: object) -> int:
        if refusal is None:
            return 0
        raise OSError(refusal, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    (tmp_path / "a").write_bytes(data := os.urandom(MIB))
    copy_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == data


def test_a_fault_of_the_disk_is_no_reason_to_try_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(OSError, match="No space") as caught:
        copy_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "b"))


def test_a_stop_is_answered_between_two_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "CHUNK", 10)
    stop, calls, copy = threading.Event(), [], os.copy_file_range

    def stopped_in_the_third(*words: int) -> int:
        calls.append(words)
        if len(calls) == 3:
            stop.set()
        return copy(*words)

    monkeypatch.setattr(os, "copy_file_range", stopped_in_the_third)
    (tmp_path / "a").write_bytes(b"x" * 100)
    with pytest.raises(InterruptedRunError, match="stopped while files were copied"):
        copy_file(str(tmp_path / "a"), str(tmp_path / "b"), stop)
    assert len(calls) == 3


def test_a_file_that_becomes_shorter_ends_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "CHUNK", 10)
    copy = os.copy_file_range

    def shortened(*words: int) -> int:
        os.truncate(tmp_path / "a", 10)
        return copy(*words)

    monkeypatch.setattr(os, "copy_file_range", shortened)
    (tmp_path / "a").write_bytes(b"x" * 100)
    copy_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"x" * 10


def test_a_link_is_followed_only_when_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    (tmp_path / "link").symlink_to("a")
    copy_file(str(tmp_path / "link"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "text"
    with pytest.raises(OSError, match="symbolic links") as caught:
        copy_file(str(tmp_path / "link"), str(tmp_path / "c"), follow=False)
    assert caught.value.errno == errno.ELOOP
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_regular_file_is_not_copied(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a")
    with pytest.raises(OSError, match="not a regular file"):
        copy_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_a_target_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("new")
    (tmp_path / "precious").write_text("old")
    (tmp_path / "b").symlink_to("precious")
    with pytest.raises(OSError, match="symbolic links"):
        copy_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "precious").read_text() == "old"


# Whole folders


def test_a_folder_is_copied_with_its_links_modes_and_times(tmp_path: Path) -> None:
    (tmp_path / "a/sub").mkdir(parents=True)
    (tmp_path / "a/sub/file").write_text("text")
    (tmp_path / "a/sub/file").chmod(0o4750)
    os.utime(tmp_path / "a/sub/file", ns=(10**9, 2 * 10**9))
    for name, target in {"in": "sub/file", "out": "/etc/shadow", "loop": "loop", "gone": "elsewhere"}.items():
        (tmp_path / "a" / name).symlink_to(target)
    (tmp_path / "a/sub").chmod(0o500)
    copy_tree(str(tmp_path / "a"), str(tmp_path / "b"))
    links = {path.name: os.readlink(path) for path in (tmp_path / "b").iterdir() if path.is_symlink()}
    assert links == {"in": "sub/file", "out": "/etc/shadow", "loop": "loop", "gone": "elsewhere"}
    file = (tmp_path / "b/sub/file").stat()
    assert (tmp_path / "b/sub/file").read_text() == "text"
    assert (stat.S_IMODE(file.st_mode), file.st_mtime_ns) == (0o750, 2 * 10**9)


def test_a_link_is_copied_as_a_link_and_a_file_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    (tmp_path / "file").write_text("text")
    copy_tree(str(tmp_path / "link"), str(tmp_path / "b"))
    copy_tree(str(tmp_path / "file"), str(tmp_path / "c"))
    assert os.readlink(tmp_path / "b") == "/etc/shadow"
    assert (tmp_path / "c").read_text() == "text"


def test_a_folder_with_a_pipe_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a/pipe")
    with pytest.raises(OSError, match="not a regular file"):
        copy_tree(str(tmp_path / "a"), str(tmp_path / "b"))


def test_the_copy_of_a_folder_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_text("text")
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedRunError):
        copy_tree(str(tmp_path / "a"), str(tmp_path / "b"), stop)
