"""Removing what a service left behind: all of it, and nothing else."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.deep import make_deep
from swath.files.removal import remove

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_files_links_folders_and_nothing_are_removed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder/sub").mkdir(parents=True)
    (tmp_path / "folder/sub/file").touch()
    (tmp_path / "empty").mkdir()
    for name in ("link", "folder", "empty", "gone"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def as_nobody(tmp_path: Path, work: Callable[[], None]) -> None:
    """Do something in a process of its own as a user who may not do everything, and who owns `tmp_path`."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(tmp_path)
            if os.getuid() == 0:
                subprocess.run(["chown", "-hR", "nobody", str(tmp_path)], check=True)
                os.setuid(pwd.getpwnam("nobody").pw_uid)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_what_is_write_protected_is_removed_and_targets_of_links_keep_their_modes(tmp_path: Path) -> None:
    for name in ("host", "x/y"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "host/file").touch(0o400)
    (tmp_path / "host").chmod(0o500)
    (tmp_path / "x/y/file").touch(0o400)
    (tmp_path / "x/y/folder").symlink_to(tmp_path / "host")
    (tmp_path / "x/y/link").symlink_to(tmp_path / "host/file")
    (tmp_path / "x/closed").mkdir(0o000)
    (tmp_path / "x/y").chmod(0o500)
    (tmp_path / "x").chmod(0o500)
    as_nobody(tmp_path, lambda: remove("x"))
    assert not (tmp_path / "x").exists()
    assert stat.S_IMODE((tmp_path / "host").stat().st_mode) == 0o500
    assert stat.S_IMODE((tmp_path / "host/file").stat().st_mode) == 0o400


def test_folders_deeper_than_any_path_are_removed(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    make_deep(tmp_path / "x", 2500)
    remove(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_one_thing_that_stays_does_not_keep_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x/sub").mkdir(parents=True)
    for name in ("a", "sub/b", "z"):
        (tmp_path / "x" / name).touch()
    unlink = os.unlink

    def refuse(path: str | os.PathLike[str], *, dir_fd: int | None = None) -> None:
        if path == "b":
            raise PermissionError(1, "no", path)
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError, match="no: 'b'"):
        remove(tmp_path / "x")
    assert sorted(path.name for path in (tmp_path / "x").rglob("*")) == ["b", "sub"]


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").touch()
    (tmp_path / "x/sub").mkdir(parents=True)
    (tmp_path / "x/sub/file").touch()
    opened = os.open

    def swap_first(path: str, flags: int, *words: int, dir_fd: int | None = None) -> int:
        if path == "sub":
            (tmp_path / "x/sub").rename(tmp_path / "away")
            (tmp_path / "x/sub").symlink_to(tmp_path / "host")
        return opened(path, flags, *words, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap_first)
    with pytest.raises(OSError, match="sub"):
        remove(tmp_path / "x")
    assert (tmp_path / "host/file").exists()


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        remove(tmp_path / "file/inner")


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (tmp_path / "link").symlink_to(kept)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/link").symlink_to(kept)
    (tmp_path / "folder/file").symlink_to(kept / "file")
    remove(tmp_path / "link")
    remove(tmp_path / "folder")
    assert (kept / "file").read_text() == "x"
    assert list(tmp_path.iterdir()) == [kept]
