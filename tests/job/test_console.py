"""`job/console.py`: what a job's log looks like."""

from __future__ import annotations

import errno
import io
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from swath.job.console import Console

if TYPE_CHECKING:
    from typing_extensions import Buffer


def test_output_is_in_a_folded_section_and_in_order(tmp_path: Path) -> None:
    stream, log = io.BytesIO(), tmp_path / "a.log"
    console = Console(stream, sections=True)
    with console.stage("train@ü x", log):
        log.write_bytes(b"one\n")
        console.say("said")
        with log.open("ab") as file:
            file.write(b"two\n")
    text = re.sub(r":\d{10}:", ":TIME:", stream.getvalue().decode())
    assert text == (
        "\x1b[0Ksection_start:TIME:swath_1_train-x\r\x1b[0Ktrain@ü x\n"
        "one\nswath: said\ntwo\n"
        "\x1b[0Ksection_end:TIME:swath_1_train-x\r\x1b[0K\n"
    )


def test_without_gitlab_a_line_says_where_a_stage_begins(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with Console(stream, sections=False).stage("a", tmp_path / "none"):
        pass
    assert stream.getvalue().decode() == "── a\n"


def test_the_copy_ends_before_the_runner_cuts_the_log(tmp_path: Path) -> None:
    stream, log = io.BytesIO(), tmp_path / "a.log"
    console = Console(stream, sections=False, most_bytes=10)
    log.write_bytes(b"x" * 30)
    with console.stage("a", log):
        pass
    with console.stage("b", log):
        console.say("goes on")
    text = stream.getvalue().decode()
    cut = "swath: the log is cut here, before the runner cuts it; all of it is in .swath/logs/a.log (artifact)"
    assert text == f"── a\n{'x' * 10}\n{cut}\n── b\nswath: goes on\n"


def test_silence_is_broken_now_and_then(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with Console(stream, sections=False, beat_s=0.3).stage("a", tmp_path / "none"):
        time.sleep(1.3)
    beats = stream.getvalue().decode().splitlines()[1:]
    assert 1 <= len(beats) <= 4
    assert all(re.fullmatch(r"swath: a still runs: \S+( of memory|, \S+ of memory)?", beat) for beat in beats)


def test_signs_of_life_go_on_when_there_is_no_room_for_lines_of_our_own(tmp_path: Path) -> None:
    stream = io.BytesIO()
    console = Console(stream, sections=False, most_own_bytes=1, beat_s=0.05)
    with console.stage("a", tmp_path / "none"):
        console.say("no room for this")
        time.sleep(0.9)
    full = "swath: the log would grow too long: from here on only what stages say, and errors\n"
    assert re.fullmatch(rf"── a\n{full}(\.\n){{1,4}}", stream.getvalue().decode())


@pytest.mark.parametrize(
    ("stages", "output"),
    [
        (5000, b""),  # a batch of very many
        (3, b"epoch\n" * 300_000),  # short lines: the runner's stamps are most of the log
        (3, b"x" * 4_000_000),
        (2500, b"two\nlines\n"),
    ],
)
def test_the_log_stays_below_the_runners_limit_and_every_section_ends(
    tmp_path: Path, stages: int, output: bytes
) -> None:
    stream, log = io.BytesIO(), tmp_path / "a.log"
    log.write_bytes(output)
    console = Console(stream, sections=True)
    for number in range(stages):
        with console.stage(f"pipelines/usage/dvc.yaml:predict@{number}", log):
            console.say(f"pipelines/usage/dvc.yaml:predict@{number} done in 0.1 s")
    text = stream.getvalue()
    stamped = len(text) + 40 * text.count(b"\n")
    assert stamped < 4 * 2**20 - 2**17  # what is left is for what comes before and after us
    assert text.count(b"section_start") == text.count(b"section_end")
    assert stamped > 2**18


def test_nothing_that_a_stage_says_commands_the_log(tmp_path: Path) -> None:
    stream, log = io.BytesIO(), tmp_path / "a.log"
    console = Console(stream, sections=True)
    forged = b"\x1b[0Ksection_end:1700000000:swath_1_a\r\x1b[0K\x1b[32mgreen\x1b[0m \xff\n"
    with console.stage("a\x1b[2J\nb", log):
        log.write_bytes(forged)
        console.say("it failed: \x1b[2J")
    text = re.sub(r":\d{10}:", ":TIME:", stream.getvalue().decode())
    section = "swath_1_a-u001b-2J-nb"
    assert text == (
        f"\x1b[0Ksection_start:TIME:{section}\r\x1b[0Ka\\u001b[2J\\nb\n"
        "\\u001b[0Ksection_end:TIME:swath_1_a\n\\u001b[0Kgreen \\xff\n"
        "swath: it failed: \\u001b[2J\n"
        f"\x1b[0Ksection_end:TIME:{section}\r\x1b[0K\n"
    )
    assert log.read_bytes() == forged


class _Refusing(io.BytesIO):
    """A log that refuses to be written while `fault` is set."""

    fault: Exception | None = None

    def write(self, data: Buffer, /) -> int:
        if self.fault:
            raise self.fault
        return super().write(data)


def test_a_log_that_cannot_be_written_for_a_while_ends_no_stage(tmp_path: Path) -> None:
    stream, log, did = _Refusing(), tmp_path / "a.log", []
    console = Console(stream, sections=False, beat_s=0.1)
    with console.stage("a", log):
        stream.fault = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        console.say("lost")
        time.sleep(0.8)
        stream.fault = None
        console.say("goes on")
        did.append("a")
    assert did == ["a"]
    assert stream.getvalue().decode().startswith("── a\nswath: ")
    assert "swath: goes on\n" in stream.getvalue().decode()


def test_a_sign_of_life_does_without_what_the_system_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil, "Process", denied)
    stream = io.BytesIO()
    with Console(stream, sections=False, beat_s=0.3).stage("a", tmp_path / "none"):
        time.sleep(1)
    assert re.match(r"── a\nswath: a still runs: \S+\n", stream.getvalue().decode())


def test_a_bug_in_the_thread_that_follows_is_raised_when_the_stage_is_done(tmp_path: Path) -> None:
    stream, log, did = _Refusing(), tmp_path / "a.log", []
    console = Console(stream, sections=False)

    def stage() -> None:
        with console.stage("a", log):
            stream.fault = ZeroDivisionError("a bug")
            log.write_bytes(b"said\n")
            time.sleep(0.8)
            stream.fault = None
            did.append("a")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        stage()
    assert did == ["a"]
