"""`dvc_border/removal.py`: what is there goes, what a link leads to stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from swath.dvc_border.removal import remove


def test_files_links_and_folders_go(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full/sub").mkdir(parents=True)
    (tmp_path / "full/sub/file").write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    for path in list(tmp_path.iterdir()):
        remove(path)
        remove(str(path))
    assert list(tmp_path.iterdir()) == []


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


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        remove(tmp_path / "file/inner")
