"""`job/artifacts.py`: what GitLab gets of a job stays below its limit."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from swath.job.artifacts import leave_out, mask, shorten_logs


def test_secrets_are_masked_in_logs(tmp_path: Path) -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nxyz\n"
    (tmp_path / "a.log").write_bytes(b"token=glpat-1234567 glpat-1234567890\n\xff MIIEvQIBADAN xyz short \xff")
    (tmp_path / "b.log").write_bytes(b"nothing\n")
    mask(tmp_path, ["glpat-1234567", "glpat-1234567890", key, "short", "", "a.*b.{9}"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.log": b"token=[MASKED] [MASKED]\n\xff [MASKED] xyz short \xff",
        "b.log": b"nothing\n",
    }
    mask(tmp_path / "none", ["glpat-1234567"])


def test_a_secret_is_masked_wherever_a_block_ends_and_a_line_without_end_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A progress bar ends no line for days."""
    text = b"1%\rab-secret-1 2%\rab-secret-12ab-secret-1\xffab-secret-\n"
    expected = b"1%\r[MASKED] 2%\r[MASKED][MASKED]\xffab-secret-\n"
    for size in range(1, len(text) + 2):
        monkeypatch.setattr("swath.job.artifacts._BLOCK", size)
        (tmp_path / "a.log").write_bytes(text)
        mask(tmp_path, ["ab-secret-1", "ab-secret-12"])
        assert (tmp_path / "a.log").read_bytes() == expected
    monkeypatch.setattr("swath.job.artifacts._BLOCK", 2**16)
    with (tmp_path / "a.log").open("wb") as file:
        file.truncate(2**26)
    tracemalloc.start()
    mask(tmp_path, ["ab-secret-1"])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "a.log").stat().st_size == 2**26
    assert most < 2**20


def test_short_logs_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"a" * 100)
    (tmp_path / "b.log").write_bytes(b"b" * 100)
    shorten_logs(tmp_path, most=200, most_of_one=100)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.log": b"a" * 100, "b.log": b"b" * 100}


def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"begin" + b"x" * 3_000_000 + b"the reason")
    shorten_logs(tmp_path, most=10**9, most_of_one=40)
    assert (tmp_path / "a.log").read_text() == (
        "begin" + "x" * 5 + "\nswath: 2.9MiB are left out here\n" + "x" * 20 + "the reason"
    )


@pytest.mark.parametrize("count", [1, 7, 3000])
def test_many_logs_share_the_room(tmp_path: Path, count: int) -> None:
    for number in range(count):
        (tmp_path / f"{number}.log").write_bytes(os.urandom(2000))
    shorten_logs(tmp_path, most=10_000, most_of_one=1000)
    left = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert left <= 10_000 + count * 60  # and the line that says so


def test_metrics_beyond_the_bound_are_left_out(tmp_path: Path) -> None:
    for name in ("a", "b/c", "d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 10)
    leave_out(tmp_path, most=25)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == ["a", "b/c"]
    leave_out(tmp_path / "none")
    shorten_logs(tmp_path / "none")
