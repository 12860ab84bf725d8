"""`dvc_border/rwlock.py`: DVC reads our record and we read DVC's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dvc.fs import localfs
from dvc.lock import LockError
from dvc.rwlock import SCHEMA, rwlock

from support.plain_repository import make_repository
from swath.dvc_border.rwlock import PathLocks
from swath.errors import PassingFaultError


@pytest.fixture
def locks(tmp_path: Path) -> PathLocks:
    """The record of an empty repository."""
    return PathLocks(make_repository(tmp_path, {}))


def test_the_record_is_of_dvcs_form(tmp_path: Path, locks: PathLocks) -> None:
    locks.enter(["/r/in", "/r/code"], ["/r/out"])
    record = SCHEMA(read(tmp_path))
    assert sorted(record["read"]) == ["/r/code", "/r/in"]
    assert record["write"]["/r/out"]["pid"] == os.getpid()


def test_what_is_left_is_taken_back(tmp_path: Path, locks: PathLocks) -> None:
    locks.enter(["/r/in"], ["/r/out"])
    locks.enter(["/r/in"], ["/r/other"])
    locks.leave(["/r/in"], ["/r/out"])
    assert sorted(read(tmp_path)["write"]) == ["/r/other"]
    assert len(read(tmp_path)["read"]["/r/in"]) == 1
    locks.leave(["/r/in"], ["/r/other"])
    assert read(tmp_path) == {}


def test_leaving_what_was_never_entered_does_nothing(tmp_path: Path, locks: PathLocks) -> None:
    locks.leave(["/r/in"], ["/r/out"])
    assert read(tmp_path) == {}


@pytest.mark.parametrize(
    ("reads", "writes"), [(["/r/out"], []), (["/r/out/inner"], []), (["/r"], []), ([], ["/r/out"]), ([], ["/r/in"])]
)
def test_dvc_is_blocked_by_us(tmp_path: Path, reads: list[str], writes: list[str], locks: PathLocks) -> None:
    locks.enter(["/r/in"], ["/r/out"])
    with pytest.raises(LockError, match="is busy, it is being blocked by"), theirs(tmp_path, reads, writes):
        raise AssertionError("both work on it")


def test_dvc_may_read_what_we_read(tmp_path: Path, locks: PathLocks) -> None:
    locks.enter(["/r/in"], ["/r/out"])
    with theirs(tmp_path, ["/r/in", "/r/outside"], ["/r/else"]):
        assert len(read(tmp_path)["read"]["/r/in"]) == 2


@pytest.mark.parametrize(
    ("mode", "path", "reads", "writes"),
    [
        ("write", "/r/out", ["/r/out"], []),
        ("write", "/r/out", ["/r/out/inner"], []),
        ("write", "/r/out/inner", [], ["/r/out"]),
        ("read", "/r/in", [], ["/r/in"]),
    ],
)
def test_another_process_blocks_us(
    tmp_path: Path, locks: PathLocks, mode: str, path: str, reads: list[str], writes: list[str]
) -> None:
    held(tmp_path, mode, path, os.getppid())
    with pytest.raises(PassingFaultError) as caught:
        locks.enter(reads, writes)
    assert str(caught.value) == (f"{path} is in use by process {os.getppid()} (dvc repro): wait for it, then run again")
    assert read(tmp_path)[mode].keys() == {path}


def test_another_reader_does_not_block_reading(tmp_path: Path, locks: PathLocks) -> None:
    held(tmp_path, "read", "/r/in", os.getppid())
    locks.enter(["/r/in"], ["/r/input"])
    assert len(read(tmp_path)["read"]["/r/in"]) == 2


@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_dead_process_does_not_block(tmp_path: Path, locks: PathLocks, mode: str) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    held(tmp_path, mode, "/r/out", dead.pid)
    locks.enter([], ["/r/out"])
    assert read(tmp_path)["write"]["/r/out"]["pid"] == os.getpid()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"write": []}', '{"read": {"/r/in": null}}'])
def test_a_broken_record_is_begun_anew(tmp_path: Path, locks: PathLocks, text: str) -> None:
    (tmp_path / ".dvc/tmp/rwlock").write_text(text)
    locks.enter(["/r/in"], ["/r/out"])
    assert sorted(read(tmp_path)) == ["read", "write"]


def read(root: Path) -> dict[str, dict[str, dict[str, object]]]:
    return dict(json.loads((root / ".dvc/tmp/rwlock").read_text()))


def held(root: Path, mode: str, path: str, pid: int) -> None:
    """Write what DVC writes when a process works on a path."""
    info = {"pid": pid, "cmd": "dvc repro"}
    record = {mode: {path: [info] if mode == "read" else info}}
    (root / ".dvc/tmp/rwlock").write_text(json.dumps(SCHEMA(record)))


@contextmanager
def theirs(root: Path, reads: list[str], writes: list[str]) -> Iterator[None]:
    """DVC's own lock, of another command."""
    with rwlock(str(root / ".dvc/tmp"), localfs, "dvc repro", reads, writes, False):  # noqa: FBT003
        yield
