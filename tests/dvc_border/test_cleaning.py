"""`dvc_border/cleaning.py`: what a remote says about its cleaning."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
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


class Clock:
    """Time that goes on when somebody sleeps; `act` hears of each sleep."""

    def __init__(self, act: Callable[[float], object] = lambda _: None) -> None:
        self.now_s, self._act = 0.0, act

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self._act(self.now_s)


@pytest.mark.parametrize("hours", [-7, 0, 7])
def test_one_that_was_killed_holds_up_one_sender_for_some_minutes_whatever_the_clocks(
    files: RemoteFiles, hours: int
) -> None:
    write_cleaning(files, Cleaning(("a",), "killed", time.time() + hours * 3600, (("host/path",),)))
    clock = Clock()
    assert last_cleaning(files, clock.sleep, lambda: clock.now_s) == "killed"
    assert 300 < clock.now_s <= 310
    assert read_cleaning(files) == Cleaning(("a",), "killed", None, (("host/path",),))
    assert last_cleaning(files, pytest.fail) == "killed"


@pytest.mark.parametrize("hours", [-7, 7])
def test_one_that_is_at_work_is_waited_for_whatever_the_clocks(files: RemoteFiles, hours: int) -> None:
    start = time.time() + hours * 3600

    def at_work(now_s: float) -> None:
        write_cleaning(files, Cleaning(("a",), "long", start + now_s if now_s < 3600 else None))

    clock = Clock(at_work)
    at_work(0)
    assert last_cleaning(files, clock.sleep, lambda: clock.now_s) == "long"
    assert clock.now_s == 3600


def test_who_is_at_work_says_so_again_and_again(files: RemoteFiles) -> None:
    with announced(files, beat_s=0.01):
        first = read_cleaning(files)
        assert first
        end = time.monotonic() + 20
        while read_cleaning(files) == first and time.monotonic() < end:
            time.sleep(0.01)
        later = read_cleaning(files)
    assert later
    assert later.cleaning == first.cleaning
    assert later.since is not None
    assert first.since is not None
    assert later.since > first.since


def test_two_cleanings_come_one_after_the_other(files: RemoteFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cleaning(files, Cleaning(("a",), "other", time.time()))
    monkeypatch.setattr("swath.dvc_border.cleaning._LOOK_S", 0.01)
    threading.Timer(0.3, write_cleaning, (files, Cleaning(("a",), "other"))).start()
    start = time.monotonic()
    with announced(files):
        assert time.monotonic() - start > 0.2


def test_its_end_is_said_though_it_failed(files: RemoteFiles) -> None:
    write_cleaning(files, Cleaning(("a",)))
    with pytest.raises(RuntimeError), announced(files):
        raise RuntimeError
    found = read_cleaning(files)
    assert found
    assert found.since is None
