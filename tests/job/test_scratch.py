"""`job/scratch.py`: a folder that outlives a job, in the remote."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support.plain_repository import make_repository
from support.until import until
from swath.dvc_border.content import hash_bytes
from swath.dvc_border.remote_files import RemoteFiles
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.errors import InterruptedRunError, PassingFaultError
from swath.files import copying
from swath.job.scratch import Scratch


@pytest.fixture
def store(tmp_path: Path) -> RemoteStore:
    root = make_repository(tmp_path / "repo", {}).root
    (root / ".dvc/config").write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {tmp_path}/far\n")
    return RemoteStore(Repository(root))


def scratch(tmp_path: Path, store: RemoteStore, machine: str = "one") -> Scratch:
    made = Scratch(tmp_path, tmp_path / machine, "k" * 64, store)
    made.folder.mkdir(exist_ok=True)
    return made


def test_it_comes_to_another_machine(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    assert here.fetch() == 0
    here.folder.mkdir()
    (here.folder / "cmd").mkdir()
    (here.folder / "cmd/epoch").write_text("1")
    here.keep()
    (here.folder / "cmd/epoch").write_text("2")
    (here.folder / "cmd/best").write_text("2")
    here.keep()
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 2
    assert (there.folder / "cmd/epoch").read_text() == "2"
    names = [path.name for path in (tmp_path / "far/swath/scratch").rglob("*") if path.is_file()]
    assert len(names) == 2 + 2  # two manifests; the contents "1" and "2"
    there.drop()
    assert scratch(tmp_path, store, "three").fetch() == 0
    assert not [path for path in (tmp_path / "far/swath/scratch").rglob("*") if path.is_file()]


def test_a_damaged_one_is_left_aside(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    (here.folder / "a").write_text("1")
    here.keep()
    for path in (tmp_path / "far/swath/scratch").rglob("*"):
        if path.is_file() and path.name != "manifest.json":
            path.write_text("x")
    assert scratch(tmp_path, store, "two").fetch() == 0


def checkpoint(folder: Path, text: str, name: str = "epoch") -> None:
    """Replace a checkpoint as a careful service does."""
    half = folder / f"{name}.half"
    half.write_text(text)
    half.replace(folder / name)


def files_of(found: Scratch) -> dict[str, str]:
    return {str(p.relative_to(found.folder)): p.read_text() for p in found.folder.rglob("*") if p.is_file()}


def far_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "far/swath/scratch").rglob("*") if path.is_file()]


def during_put(monkeypatch: pytest.MonkeyPatch, store: RemoteStore, act: Callable[[], None]) -> None:
    """Let something happen between the hashing and the sending of files."""
    real = store.files.put

    def put(pairs: Sequence[tuple[str, str]], stop: threading.Event | None = None) -> None:
        act()
        real(pairs, stop)

    monkeypatch.setattr(store.files, "put", put)


def test_a_checkpoint_that_is_replaced_while_it_is_sent_is_kept_as_it_was_hashed(
    tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = scratch(tmp_path, store)
    checkpoint(here.folder, "1")
    here.keep()
    checkpoint(here.folder, "2")
    during_put(monkeypatch, store, lambda: checkpoint(here.folder, "3"))
    here.keep()
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 1
    assert files_of(there) == {"epoch": "2"}


def test_one_that_is_written_in_place_while_it_is_sent_is_sent_again(
    tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = scratch(tmp_path, store)
    (here.folder / "epoch").write_text("1")
    here.keep()
    (here.folder / "epoch").write_text("2")
    count = itertools.count(10)
    during_put(monkeypatch, store, lambda: (here.folder / "epoch").write_text(f"{next(count)}") and None)
    here.keep()
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 1
    assert files_of(there) == {"epoch": "10"}


def test_when_the_newest_generation_is_damaged_the_one_before_it_comes(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    for text in ("1", "2", "3"):
        checkpoint(here.folder, text)
        here.keep()
    newest = tmp_path / "far/swath/scratch" / here.key / hash_bytes(b"3")
    newest.chmod(0o644)
    newest.write_text("x")
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 1
    assert files_of(there) == {"epoch": "2"}
    checkpoint(there.folder, "3")
    there.keep()
    again = scratch(tmp_path, store, "three")
    assert again.fetch() == 1
    assert files_of(again) == {"epoch": "3"}
    again.drop()
    assert far_files(tmp_path) == []


@pytest.mark.parametrize("fails_at", range(1, 8))
def test_an_upload_that_breaks_off_anywhere_leaves_a_whole_generation(
    tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    here = scratch(tmp_path, store)
    for text in ("1", "2"):
        checkpoint(here.folder, text)
        checkpoint(here.folder, f"optimizer {text}", "optimizer")
        here.keep()
    checkpoint(here.folder, "3")
    checkpoint(here.folder, "optimizer 3", "optimizer")
    count = itertools.count(1)
    real = RemoteFiles.each

    def each(files: RemoteFiles, items: Sequence[object], *args: object) -> list[object]:
        """Each single piece of work may be the last one."""
        found: list[object] = []
        for item in items:
            if next(count) == fails_at:
                raise PassingFaultError("cut")
            found += real(files, [item], *args)  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(RemoteFiles, "each", each)
    with contextlib.suppress(PassingFaultError):
        here.keep()
    monkeypatch.setattr(RemoteFiles, "each", real)
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 2
    found = files_of(there)
    assert found in [{"epoch": text, "optimizer": f"optimizer {text}"} for text in ("2", "3")]


def test_a_file_that_never_holds_still_stays_as_it_was_sent_before(
    tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swath.job.snapshot._PAUSE_S", 0.0)
    here = scratch(tmp_path, store)
    (here.folder / "log").write_text("1")
    checkpoint(here.folder, "1")
    here.keep()
    real = copying.copy_bytes

    def copy_bytes(reading: int, writing: int, stop: threading.Event | None = None) -> None:
        real(reading, writing, stop)
        with (here.folder / "log").open("a") as file:
            file.write("more")

    monkeypatch.setattr("swath.job.snapshot.copy_bytes", copy_bytes)
    here._snapshots.written_in_place.add("log")
    checkpoint(here.folder, "2")
    here.keep()
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 2
    assert files_of(there) == {"log": "1", "epoch": "2"}


def test_an_upload_that_is_given_up_leaves_the_generation_before(
    tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = scratch(tmp_path, store)
    checkpoint(here.folder, "1")
    here.keep()
    checkpoint(here.folder, "2")
    stop, never = threading.Event(), threading.Event()
    monkeypatch.setattr(type(store.files._file_system), "put_file", lambda *_, **__: never.wait(20))
    threading.Timer(0.2, stop.set).start()
    start = time.monotonic()
    with pytest.raises(InterruptedRunError):
        here.keep(stop)
    assert time.monotonic() - start < 5
    never.set()
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 1
    assert files_of(there) == {"epoch": "1"}


def test_links_and_pipes_are_not_sent(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    (tmp_path / "secret").write_text("hush")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/inner").write_text("hush")
    (here.folder / "link").symlink_to(tmp_path / "secret")
    (here.folder / "linked").symlink_to(tmp_path / "folder")
    (here.folder / "loop").symlink_to("loop")
    os.mkfifo(here.folder / "pipe")
    (here.folder / os.fsdecode(b"\xff")).write_text("1")
    here.keep()
    there = scratch(tmp_path, store, "two")
    assert there.fetch() == 1
    assert files_of(there) == {os.fsdecode(b"\xff"): "1"}


@pytest.mark.parametrize("is_shared", [False, True])
def test_folders_without_end_do_no_harm(tmp_path: Path, store: RemoteStore, *, is_shared: bool) -> None:
    here = scratch(tmp_path, store)
    if is_shared:
        here.store = None
    (here.folder / "file").write_text("1")
    place = os.getcwd()
    os.chdir(here.folder)
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(place)
    here.keep()
    if is_shared:
        assert here.fetch() == 1
    here.drop()
    assert not here.folder.exists()


def test_what_a_killed_try_left_is_dropped_with_the_rest(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    checkpoint(here.folder, "1")
    here.keep()
    store.files.write(f"swath/scratch/{here.key}/{'d' * 32}", b"half")
    scratch(tmp_path, store, "two").drop()
    assert far_files(tmp_path) != []
    there = scratch(tmp_path, store, "three")
    there.fetch()
    there.drop()
    assert far_files(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "[", "[1]", '{"../a": "b"}', '{"/a": "b"}', '{"a": 1}', "[" * 100_000,
        *(f'{{{json.dumps(path)}: "{"a" * 32}"}}' for path in ("../a", "/a", "a/../b", "a//b", "", "a\0", "./a")),
        f'{{"a": "{"a" * 32}", "a/b": "{"a" * 32}"}}', '{"a": "../../../etc/passwd"}',
    ],
)  # fmt: skip
def test_a_manifest_that_leads_elsewhere_is_left_aside(tmp_path: Path, store: RemoteStore, text: str) -> None:
    store.write_text(f"swath/scratch/{'k' * 64}/manifest.json", text)
    assert scratch(tmp_path, store).fetch() == 0


def test_it_is_sent_now_and_then(tmp_path: Path, store: RemoteStore) -> None:
    here = scratch(tmp_path, store)
    with here.kept_at_times(0.05):
        (here.folder / "a").write_text("1")
        until(lambda: list((tmp_path / "far/swath/scratch").rglob("manifest.json")), 30)
    assert scratch(tmp_path, store, "two").fetch() == 1


def test_what_is_being_sent_at_the_end_is_given_up(
    tmp_path: Path, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, never, begun = scratch(tmp_path, store), threading.Event(), threading.Event()

    def put_file(*_: object, **__: object) -> None:
        begun.set()
        never.wait(60)

    monkeypatch.setattr(type(store.files._file_system), "put_file", put_file)
    (here.folder / "a").write_text("1")
    with here.kept_at_times(0.05):
        assert begun.wait(30)
        start = time.monotonic()
    assert time.monotonic() - start < 20
    never.set()
