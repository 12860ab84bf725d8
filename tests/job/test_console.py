"""`job/console.py`: what a job's log looks like."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

from swath.job.console import Console


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
