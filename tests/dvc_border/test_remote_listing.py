"""`dvc_border/remote_listing.py`: all files of a place, with sizes and ages as file systems tell them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_files import RemoteFiles
from swath.dvc_border.remote_listing import StoredFile, cache_as_remote, stored_files
from swath.dvc_border.repository import Repository
from swath.errors import UserError


def far(tmp_path: Path, url: str) -> RemoteFiles:
    root = make_repository(tmp_path / "repo", {}).root
    (root / ".dvc/config").write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {url}\n")
    return RemoteFiles(Repository(root), patience=Patience(pauses_s=()))


def test_files_of_a_folder_are_listed_and_links_not_followed(tmp_path: Path) -> None:
    files = far(tmp_path, str(tmp_path / "far"))
    assert stored_files(files) == []
    ours = ("0f/x", "files/md5/0f/x", "runs/0f/x/y", "swath/7/1/x.json")
    for path in (*ours, "files/md5/txt/x", "notes/0f/x", "swath/gc.json", "x"):
        files.write(path, b"123")
        os.utime(tmp_path / "far" / path, (200, 100))
    (tmp_path / "far/swath/away").symlink_to("/etc")
    (tmp_path / "far/swath/7/away").symlink_to("/etc/passwd")
    found = [each for each in stored_files(files) if each.path != "swath/7/away"]
    assert found == [StoredFile(path, 3, 100.0) for path in ours]


def test_in_a_cache_the_last_use_counts(tmp_path: Path) -> None:
    repository = Repository(make_repository(tmp_path / "repo", {}).root)
    path = Path(repository.cache_dir) / "files/md5/ab/c"
    path.parent.mkdir(parents=True)
    path.write_text("1")
    os.utime(path, (200, 100))
    assert stored_files(cache_as_remote(repository, Patience(pauses_s=()))) == [StoredFile("files/md5/ab/c", 1, 200.0)]


THEN = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("info", "changed"),
    [
        ({"LastModified": THEN}, THEN.timestamp()),
        ({"modified": THEN.replace(tzinfo=None)}, THEN.timestamp()),
        ({"updated": "2026-01-02T00:00:00Z"}, THEN.timestamp()),
        ({"mtime": 7}, 7.0),
        ({"updated": "soon"}, None),
        ({}, None),
    ],
)
def test_ages_are_read_in_each_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: dict[str, Any], changed: float | None
) -> None:
    files = far(tmp_path, "s3://bucket/deep")

    class System:
        """What fsspec's file systems answer."""

        fs: Any = None

        def ls(self, folder: str, *, detail: bool) -> list[str]:
            assert not detail
            return [f"{folder}/ab", f"{folder}/other"] if folder == "bucket/deep/files/md5" else []

        def find(self, root: str, *, detail: bool) -> dict[str, dict[str, Any]]:
            assert (root, detail) == ("bucket/deep/files/md5/ab", True)
            return {"bucket/deep/files/md5/ab/c": {"size": 4, **info}, "bucket/deeper/x": {"size": 1}}

    system = System()
    system.fs = system
    monkeypatch.setattr(files, "_fs", system)
    assert stored_files(files) == [StoredFile("files/md5/ab/c", 4, changed)]


def test_a_web_server_cannot_be_cleaned(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the DVC remote 'far' cannot be cleaned: a web server lists no files"):
        stored_files(far(tmp_path, "https://host.invalid/data"))
