"""`local/journal.py`: what finished is not lost."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from swath.local.journal import Journal
from swath.model.stage import Stage

A, B = ({"cmd": name, "outs": [{"path": name, "md5": "ü"}]} for name in "ab")


def stage(key: str, file: str = "dvc.yaml") -> Stage:
    return Stage(key, file, key, key, "true", ".")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "tmp/swath")


def lines(tmp_path: Path) -> Path:
    return tmp_path / "tmp/swath/journal.jsonl"


def test_no_journal_has_no_entries(journal: Journal) -> None:
    assert journal.read() == {}


def test_what_was_appended_is_read_by_another(tmp_path: Path, journal: Journal) -> None:
    journal.append(stage("a"), A)
    journal.append(stage("b", "sub/dvc.yaml"), B)
    assert Journal(tmp_path / "tmp/swath").read() == {"dvc.yaml": {"a": A}, "sub/dvc.yaml": {"b": B}}
    journal.close()


def test_parameters_come_back_with_their_keys_and_kinds(tmp_path: Path, journal: Journal) -> None:
    entry = {"cmd": "x", "params": {"p": {"names": {0: "cat", None: {True: math.inf}}, "nan": math.nan}}}
    journal.append(stage("a"), entry)
    read = Journal(tmp_path / "tmp/swath").read()

    assert read == {"dvc.yaml": {"a": entry}}
    journal.drop(read)
    journal.close()
    assert lines(tmp_path).read_bytes() == b""


def test_the_last_entry_of_a_stage_wins(journal: Journal) -> None:
    journal.append(stage("a"), A)
    journal.append(stage("a"), B)
    journal.close()
    assert journal.read() == {"dvc.yaml": {"a": B}}


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path, journal: Journal) -> None:
    journal.append(stage("a"), A)
    journal.append(stage("b"), B)
    journal.close()
    os.truncate(lines(tmp_path), lines(tmp_path).stat().st_size - 10)
    assert journal.read() == {"dvc.yaml": {"a": A}}
    journal.append(stage("c"), B)
    journal.close()
    assert journal.read() == {"dvc.yaml": {"a": A, "c": B}}


def test_a_line_that_was_cut_inside_a_letter_is_left_out(tmp_path: Path, journal: Journal) -> None:
    journal.append(stage("a"), A)
    journal.close()
    with lines(tmp_path).open("ab") as file:
        file.write(b'{"version": 1, "key": "\xc3')
    assert journal.read() == {"dvc.yaml": {"a": A}}


@pytest.mark.parametrize(
    "line",
    [
        "[]", "5", "{}", '{"version": 2, "file": "f"}', '{"version": 1}', '{"version": 1, "file": 3}', "[" * 99_999,
        '{"version": 1, "file": [], "key": "a", "entry": {}}', '{"version": 1, "file": "f", "key": {}, "entry": {}}',
        '{"version": 1, "file": "f", "key": "a", "entry": 5}', '{"version": 1, "file": "f", "key": "a", "entry": {"$int": 5}}',
    ],
)  # fmt: skip
def test_lines_of_another_form_are_left_out(tmp_path: Path, journal: Journal, line: str) -> None:
    journal.append(stage("a"), A)
    journal.close()
    with lines(tmp_path).open("a") as file:
        file.write(line + "\n")
    assert journal.read() == {"dvc.yaml": {"a": A}}


def test_it_is_emptied_when_all_is_written(tmp_path: Path, journal: Journal) -> None:
    journal.append(stage("a"), A)
    journal.drop(journal.read())
    journal.close()
    assert lines(tmp_path).read_text() == ""


def test_what_came_since_stays(journal: Journal) -> None:
    journal.append(stage("a"), A)
    written = journal.read()
    journal.append(stage("b"), B)
    journal.drop(written)
    assert journal.read()["dvc.yaml"]["b"] == B
    journal.append(stage("a"), B)
    journal.drop({"dvc.yaml": {"a": A, "b": B}})
    assert journal.read()["dvc.yaml"]["a"] == B
    journal.close()


def test_appending_goes_on_after_it_was_emptied(journal: Journal) -> None:
    journal.append(stage("a"), A)
    journal.drop(journal.read())
    journal.append(stage("b"), B)
    journal.close()
    assert journal.read() == {"dvc.yaml": {"b": B}}


def test_dropping_from_no_journal_does_nothing(journal: Journal) -> None:
    journal.drop({"dvc.yaml": {"a": A}})
    assert journal.read() == {}


APPEND_AND_DIE = """
import os, pathlib, signal, sys
from swath.local.journal import Journal
from swath.model.stage import Stage

journal = Journal(pathlib.Path(sys.argv[1]))
for number in range(5):
    key = f"s{number}"
    journal.append(Stage(key, "dvc.yaml", key, key, "true", "."), {"cmd": key})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    process = subprocess.run([sys.executable, "-c", APPEND_AND_DIE, str(tmp_path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert sorted(Journal(tmp_path).read()["dvc.yaml"]) == [f"s{number}" for number in range(5)]


def test_nothing_is_lost_between_the_last_look_and_the_emptying(journal: Journal) -> None:
    """As when the minute's writing of dvc.lock meets stages that finish."""
    done = threading.Event()

    def finish_stages() -> None:
        for number in range(300):
            journal.append(stage(f"s{number}"), A)
        done.set()

    written: set[str] = set()
    thread = threading.Thread(target=finish_stages)
    thread.start()
    while not done.is_set():
        entries = journal.read()
        written.update(entries.get("dvc.yaml", ()))
        journal.drop(entries)
    thread.join()
    written.update(journal.read().get("dvc.yaml", ()))
    journal.close()
    assert len(written) == 300


def test_a_line_is_json_with_its_version(tmp_path: Path, journal: Journal) -> None:
    journal.append(stage("a"), A)
    journal.close()
    record = json.loads(lines(tmp_path).read_text())
    assert record == {"version": 1, "file": "dvc.yaml", "key": "a", "entry": A}


def test_a_disk_that_is_nearly_full_is_told(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes a part of a line, and refuses the rest."""
    room, write = [20], os.write

    def limited(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        took = write(fd, data[: room[0]])
        room[0] -= took
        return took

    monkeypatch.setattr("swath.local.journal.os.write", limited)
    with pytest.raises(OSError, match="No space left on device"):
        journal.append(stage("a"), A)
    room[0] = 10_000
    journal.append(stage("b"), B)
    journal.close()
    assert journal.read() == {"dvc.yaml": {"b": B}}
