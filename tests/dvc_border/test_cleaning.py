"""`dvc_border/cleaning.py`: what a remote says about its cleaning."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.plain_repository import make_repository
from swath.dvc_border.cleaning import MARKER, Cleaning, announced, last_cleaning, read_cleaning, write_cleaning
from swath.dvc_border.patience import Patience
from swath.dvc_border.remote_files import RemoteFiles
from swath.dvc_border.repository import Repository


@pytest.fixture
def files(tmp_path: Path) -> RemoteFiles:
    root = make_repository(tmp_path / "repo", {}).root
    (root / ".dvc/config").write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {tmp_path}/far\n")
    return RemoteFiles(Repository(root), patience=Patience(pauses_s=()))


def test_it_is_read_as_it_was_written(files: RemoteFiles) -> None:
    assert read_cleaning(files) is None
    for said in (Cleaning(("a", "b")), Cleaning((), "id", 12.5)):
        write_cleaning(files, said)
        assert read_cleaning(files) == said


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "repositories": []}', '{"version": 1}', "[" * 99_999])
def test_another_file_is_refused_and_holds_up_nobody(files: RemoteFiles, text: str) -> None:
    files.write(MARKER, text.encode())
    with pytest.raises(ValueError, match=MARKER):
        read_cleaning(files)
    assert last_cleaning(files) == ""


def test_who_sends_waits_for_the_end_of_a_cleaning(files: RemoteFiles) -> None:
    write_cleaning(files, Cleaning(("a",), "first"))
    assert last_cleaning(files) == "first"
    waited: list[float] = []
    with announced(files):
        now = read_cleaning(files)
        assert now
        assert now.since

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            assert now
            write_cleaning(files, Cleaning(("a",), now.cleaning))

        assert last_cleaning(files, sleep) == now.cleaning != "first"
    assert len(waited) == 1
    found = read_cleaning(files)
    assert found == Cleaning(("a",), now.cleaning)


def test_one_that_was_killed_long_ago_holds_up_nobody(files: RemoteFiles) -> None:
    write_cleaning(files, Cleaning(("a",), "killed", time.time() - 7 * 3600))
    assert last_cleaning(files) == "killed"


def test_its_end_is_said_though_it_failed(files: RemoteFiles) -> None:
    write_cleaning(files, Cleaning(("a",)))
    with pytest.raises(RuntimeError), announced(files):
        raise RuntimeError
    found = read_cleaning(files)
    assert found
    assert found.since is None
