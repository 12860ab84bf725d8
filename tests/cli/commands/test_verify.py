"""`swath verify`: the table, the document, the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.repositories import Bench, make_repository

STAGES = {
    "fine": {"cmd": "cp in.txt fine", "deps": ["in.txt"], "outs": ["fine"]},
    "random": {
        "cmd": "mkdir drawn && cp in.txt drawn/same && head -c 9 /dev/urandom > drawn/other",
        "deps": ["in.txt"],
        "outs": ["drawn"],
    },
    "always": {"cmd": "echo x", "always_changed": True},
    "late": {"cmd": "cp in.txt late", "deps": ["in.txt"], "outs": ["late"]},
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Everything ran once and is committed."""
    made = make_repository(tmp_path / "repo", {"in.txt": "one\n", "dvc.yaml": {"stages": STAGES}})
    made.run()
    made.commit("recorded")
    return made


def test_the_command_line_prints_a_table_and_ends_with_4(bench: Bench) -> None:
    done = bench.swath("verify", "fine", "random", "always")
    assert done.returncode == 4
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["stage", "result", "what"]
    assert lines[1].startswith("random  differs  drawn: ")
    assert lines[-1] == "1 same, 1 differs, 1 skipped"
    assert done.stderr.splitlines()[-1] == "swath: 1 stage does not give what is recorded: random"


def test_the_document(bench: Bench) -> None:
    done = bench.swath("verify", "--json", "fine", "random")
    document = json.loads(done.stdout)
    assert (done.returncode, document["version"]) == (4, 1)
    assert document["commit"] == bench.command("git", "rev-parse", "HEAD").stdout.strip()
    fine, drawn = document["stages"]
    assert (fine["name"], fine["result"], fine["outs"]) == ("fine", "same", [])
    assert drawn["outs"][0]["path"] == "drawn"
    assert {"path": "other", "change": "changed"} in drawn["outs"][0]["files"]


def test_all_the_same_is_exit_0(bench: Bench) -> None:
    done = bench.swath("verify", "fine", "late")
    assert (done.returncode, done.stdout) == (0, "2 same\n")


def test_an_unknown_revision(bench: Bench) -> None:
    done = bench.swath("verify", "--rev", "no")
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "swath: there is no revision 'no'")
