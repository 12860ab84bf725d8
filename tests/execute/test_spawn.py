"""`execute/spawn.py`: by the C library or by `subprocess`, a program starts in the same way."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from swath.execute.child import Program, start_by_subprocess
from swath.execute.spawn import start

Start = Callable[[Program], int]
both = pytest.mark.parametrize("way", [start, start_by_subprocess])


def said(way: Start, folder: Path, script: str, *words: str, stdin: int | None = None) -> str:
    """What a shell script says on stdout and stderr."""
    path = folder / "said"
    with path.open("wb") as log:
        program = Program(
            "/bin/sh", ["sh", "-c", script, *words], str(folder), {"A": "ü", "B": ""}, stdin, log.fileno()
        )
        _, status = os.waitpid(way(program), 0)
    assert status == 0
    return path.read_text()


@both
def test_its_words_variables_and_folder(way: Start, tmp_path: Path) -> None:
    script = 'echo "$0|$1|$A|${B-none}|$HOME"; pwd >&2'
    assert said(way, tmp_path, script, "a b", "ü'\"\n") == f"a b|ü'\"\n|ü||\n{tmp_path}\n"


@both
def test_it_leads_a_session_and_has_no_file_of_ours(way: Start, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003 - as what a parent of ours left open
    try:
        pid, session, *files = said(way, tmp_path, "cut -d ' ' -f 1,6 /proc/self/stat; ls /proc/self/fd").split()
    finally:
        os.close(reading)
        os.close(writing)
    assert pid != session  # `cut` is a child of the leader
    assert int(session) != os.getsid(0)
    assert files == ["0", "1", "2", "3"]  # 3 is the folder that `ls` reads


@both
def test_signals_that_python_ignores_are_as_usual(way: Start, tmp_path: Path) -> None:
    ignored = int(said(way, tmp_path, "sed -n 's/^SigIgn:\\s*//p' /proc/self/status"), 16)
    assert not [number for number in (signal.SIGPIPE, signal.SIGXFSZ) if ignored >> (number - 1) & 1]


@both
def test_what_it_reads(way: Start, tmp_path: Path) -> None:
    assert said(way, tmp_path, "cat") == ""
    reading, writing = os.pipe()
    os.write(writing, b"given")
    os.close(writing)
    try:
        assert said(way, tmp_path, "cat", stdin=reading) == "given"
    finally:
        os.close(reading)


@both
@pytest.mark.parametrize(
    ("file", "word", "number"),
    [("/no/such", "x", errno.ENOENT), ("/etc/passwd", "x", errno.EACCES), ("/bin/echo", "x" * 2**20, errno.E2BIG)],
)
def test_what_the_system_cannot_start(way: Start, tmp_path: Path, file: str, word: str, number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        way(Program(file, ["x", word], str(tmp_path), {}))
    assert caught.value.errno == number


@both
def test_a_zero_byte_is_refused(way: Start, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="embedded null byte"):
        way(Program("/bin/echo", ["x", "a\0b"], str(tmp_path), {}))
