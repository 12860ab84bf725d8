"""`schema/atomic_file.py`: the whole text or the old one, and what is said."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from swath.errors import PassingFaultError, UserError
from swath.schema.atomic_file import write_atomically


def test_folders_are_made_and_line_ends_stay(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a/b/c.txt", "é\r\nx\n")
    assert (tmp_path / "a/b/c.txt").read_bytes() == "é\r\nx\n".encode()
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["c.txt"]


def test_the_mode_stays(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("old")
    (tmp_path / "run.sh").chmod(0o750)
    write_atomically(tmp_path / "run.sh", "new")
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o750


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError) as caught:
        write_atomically(tmp_path / "out", "text")
    expected = "out cannot be written: Is a directory\n  check what stands there, and the permissions of its folder"
    assert str(caught.value) == f"{tmp_path}/{expected}"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_may_pass_and_leaves_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dvc.lock").write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PassingFaultError) as caught:
        write_atomically(tmp_path / "dvc.lock", "new", name="dvc.lock", note="all else is kept")
    assert str(caught.value) == "dvc.lock cannot be written: No space left on device; all else is kept"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"dvc.lock": "old"}
