"""`load/ignored.py`: lines of `.dvcignore`, added once and before there are results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swath.errors import UserError
from swath.load.ignored import with_ignored, write_ignored

if TYPE_CHECKING:
    from pathlib import Path


def test_ignored_lines_are_added_once() -> None:
    once = with_ignored("mine")
    assert once.startswith("mine\n# What")
    assert with_ignored(once) == once


def test_they_are_written_where_dvc_is(tmp_path: Path) -> None:
    assert not write_ignored(tmp_path)
    (tmp_path / ".dvc").mkdir()
    assert write_ignored(tmp_path)
    assert (tmp_path / ".dvcignore").read_text() == with_ignored("")
    assert not write_ignored(tmp_path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvcignore").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"\.dvcignore cannot be read: .*\n  a text file in UTF-8 is expected"):
        write_ignored(tmp_path)
