"""`cli/visible_streams.py`, `cli/visible_console.py`: no text of a repository commands the terminal."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from support.repositories import BIN, Bench, make_repository
from swath.cli.main import main
from swath.cli.visible_console import visible_console
from swath.cli.visible_streams import document_stream, visible_streams
from swath.model.visible_text import visible

ODD = "a[/x]\x1b[31m\u202eb"
SHOWN = "a[/x]\\u001b[31m\\u202eb"


def test_text_is_made_visible_and_the_streams_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with visible_streams():
        kept = sys.stderr
        print(ODD)
        print(ODD, "\x1b[2J", file=sys.stderr)
        sys.stdout.writelines(["x\r\n"])
        document_stream().write("\x1b")
        logging.getLogger("swath.test").warning("careful: %s", ODD)
    assert (sys.stdout, sys.stderr) == before
    kept.write("\x1b[0m")  # as colorama does when the process ends
    said = capsys.readouterr()
    assert said.out == f"{SHOWN}\nx\\u000d\n\x1b"
    assert said.err.startswith(f"{SHOWN} \\u001b[2J\n")
    assert said.err.endswith("\x1b[0m")


def test_libraries_do_not_colour_what_would_be_escaped() -> None:
    """DVC's loggers set colours, and colorama takes them out where there is no terminal."""
    program = (
        "import sys, colorama; from swath.cli.visible_streams import visible_streams\n"
        "with visible_streams():\n"
        "    colorama.init(); print(colorama.Fore.RED + 'WARNING' + colorama.Fore.RESET, file=sys.stderr)"
    )
    done = subprocess.run(
        ["script", "-qec", f'{sys.executable} -c "$PROGRAM"', "/dev/null"],
        env={**os.environ, "PROGRAM": program, "SHELL": "/bin/sh"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout.replace(b"\x1b[0m", b"") == b"WARNING\r\n"


def test_a_table_takes_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("stage")
    table.add_row(visible(ODD))
    table.add_row("[bold]:smile: [/x]")
    table.add_row(Text("not made visible before: b\udcffd"))
    with visible_streams():
        visible_console(width=60).print(table)
    out = capsys.readouterr().out
    assert SHOWN in out
    assert "[bold]:smile: [/x]" in out
    assert "b\\u" in out
    assert "\udcff" not in out
    assert "\u202e" not in out
    assert "\x1b[31m" not in out


def test_what_a_terminal_cannot_show_is_no_failure() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    before, sys.stdout = sys.stdout, stream
    try:
        with visible_streams():
            print("│ ü")
        stream.flush()
        assert stream.buffer.getvalue() == b"\\u2502 \xfc\n"  # type: ignore[attr-defined]
    finally:
        sys.stdout = before


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    stages = {"odd": {"cmd": "printf '\\033]0;owned\\007[/x]\\n'; exit 3"}, ODD: {"cmd": "true"}}
    return make_repository(tmp_path / "repo", {"dvc.yaml": {"stages": stages}})


def test_messages_of_a_run_are_visible_and_its_log_is_as_written(bench: Bench) -> None:
    done = bench.swath("run", "-k")
    assert done.returncode == 4
    assert "ran  a[/x]" in done.stderr
    assert not {"\x1b", "\u202e"} & set(done.stderr)
    assert "  │ \\u001b]0;owned\\u0007[/x]\n" in done.stderr
    assert b"\x1b]0;owned\x07[/x]\n" in (bench.root / ".dvc/tmp/swath/logs/odd.log").read_bytes()


def test_a_terminal_gets_the_same(bench: Bench) -> None:
    done = subprocess.run(
        ["script", "-qec", f"{BIN}/swath run -k", "/dev/null"], cwd=bench.root, capture_output=True, check=False
    )
    text = done.stdout.decode()
    assert "owned" in text
    assert "\x1b]0;owned" not in text
    assert "\u202e" not in text
    assert SHOWN in text


def test_a_plan_shows_names_and_its_json_says_them(bench: Bench) -> None:
    plan = bench.swath("plan")
    assert (SHOWN in plan.stdout, "\x1b" in plan.stdout) == (True, False)
    document = json.loads(bench.swath("plan", "--json").stdout)
    assert {stage["name"] for stage in document["stages"]} == {"odd", ODD}


def test_an_error_about_an_argument_is_visible(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.root)
    assert main(["plan", "no\x1b[2J\udcff"]) == 1
    assert "no\\x1b[2J\\udcff" in capsys.readouterr().err


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_nobody(tmp_path: Path, closed: str) -> None:
    """Such as under a daemon; and what a stage says goes into none of the files that are open."""
    bench = make_repository(
        tmp_path, {"dvc.yaml": {"stages": {"a": {"cmd": "echo 1 > out; echo said", "outs": ["out"]}}}}
    )
    for command, code in (("plan", 0), ("run", 0), ("plan no-such-stage", 1)):
        script = f"{BIN}/swath {command} {closed}"
        result = subprocess.run(["sh", "-c", script], cwd=bench.root, check=False, capture_output=True, timeout=60)
        assert (result.returncode, b"bug in Swath" in result.stderr) == (code, False)
    assert (bench.root / "out").read_text() == "1\n"


def test_a_message_that_nobody_can_write_leaves_the_exit_code(tmp_path: Path) -> None:
    bench = make_repository(tmp_path, {"dvc.yaml": {"stages": {"a": {"cmd": "true", "deps": ["in"]}}}})
    with open("/dev/full", "w") as full:
        result = subprocess.run([f"{BIN}/swath", "run"], cwd=bench.root, check=False, stderr=full, timeout=60)
        assert result.returncode == 75
        program = (
            "import sys; from swath.cli import exec; from swath.errors import PassingFaultError\n"
            "def execute(*_): raise PassingFaultError('gone')\n"
            "exec.execute = execute; sys.exit(exec.main(['x']))"
        )
        result = subprocess.run([sys.executable, "-c", program], cwd=bench.root, check=False, stderr=full, timeout=60)
        assert result.returncode == 75
