"""`swath lint` as a user calls it: exit codes, stdout and stderr, JSON, and a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

from support.plain_repository import make_repository, with_split

if TYPE_CHECKING:
    from pathlib import Path

WRONG = "stages:\n  a:\n    cmd: swath exec split --input in.tif --out out\n    deps: [in.tif]\n    outs: [out]\n"


def _lint(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "swath.cli.entry", "lint", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _repository(root: Path, text: str = WRONG) -> Path:
    make_repository(root, with_split(text, {"in.tif": "", "below/x": ""}))
    return root


def test_errors_exit_with_1(tmp_path: Path) -> None:
    done = _lint(_repository(tmp_path))

    assert done.returncode == 1
    assert done.stdout == (
        "dvc.yaml:3: stages.a.cmd: error: services/split is not among the deps: "
        "a changed service would not run the stage again [service-dep]\n  add `- services/split` to deps\n"
    )
    assert done.stderr == (
        "swath lint: 1 error (1 stage of 1 dvc.yaml, 1 service)\nswath lint: `swath lint --fix` mends 1 of them\n"
    )


def test_warnings_exit_with_0(tmp_path: Path) -> None:
    done = _lint(_repository(tmp_path, "stages:\n  a: {cmd: x, deps: [missing]}\n"))

    assert done.returncode == 0
    assert "warning: the dep missing does not exist" in done.stdout
    assert done.stderr == "swath lint: 1 warning (1 stage of 1 dvc.yaml, 1 service)\n"


def test_json_from_a_folder_below(tmp_path: Path) -> None:
    done = _lint(_repository(tmp_path) / "below", "--json")

    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {
        "version": 1,
        "findings": [
            {
                "file": "dvc.yaml",
                "line": 3,
                "key": "stages.a.cmd",
                "rule": "service-dep",
                "severity": "error",
                "message": "services/split is not among the deps: a changed service would not run the stage again",
                "hint": "add `- services/split` to deps",
            }
        ],
    }


def test_fix(tmp_path: Path) -> None:
    root = _repository(tmp_path)

    done = _lint(root, "--fix", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "version": 1,
        "findings": [],
        "fixed": [{"file": "dvc.yaml", "key": "stages.a.deps", "entry": "services/split"}],
    }
    assert (root / "dvc.yaml").read_text() == WRONG.replace(
        "    deps: [in.tif]\n", "    deps:\n      - services/split\n      - in.tif\n"
    )
    assert _lint(root, "--fix").stdout == ""


def test_on_a_terminal_nothing_of_a_message_is_markup(tmp_path: Path) -> None:
    root = _repository(tmp_path, "stages:\n  a:\n    cmd: swath exec '[bold]nope[/x]'\n")
    ours, theirs = pty.openpty()

    done = subprocess.run(
        [sys.executable, "-m", "swath.cli.entry", "lint"],
        cwd=root, stdout=theirs, stderr=subprocess.PIPE, check=False, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)

    assert done.returncode == 1
    assert "there is no service '[bold]nope[/x]'" in text
    assert "\x1b[" in text


def test_outside_of_a_repository(tmp_path: Path) -> None:
    done = _lint(tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
