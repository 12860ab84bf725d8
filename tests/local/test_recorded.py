"""`local/recorded.py`: what a revision's stages read, and which can be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.repositories import Bench, make_repository
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.local.recorded import Recorded, read_recorded

STAGES: dict[str, Any] = {
    "a": {"foreach": ["x", "y"], "do": {"cmd": "cp in.txt d/${item}", "deps": ["in.txt"], "outs": ["d/${item}"]}},
    "tree": {"cmd": "mkdir t && cp in.txt t/in", "deps": ["in.txt"], "outs": ["t"]},
    "whole": {"cmd": "cat d/x d/y > whole", "deps": ["d"], "outs": ["whole"]},
    "part": {"cmd": "cp t/in part", "deps": ["t/in", "data.bin"], "outs": ["part"]},
    "frozen": {"cmd": "cp in.txt frozen", "deps": ["in.txt"], "outs": ["frozen"]},
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    files = {"in.txt": "1", "d/keep": "", "d0": "", "data.bin": "x", "dvc.yaml": {"stages": STAGES}}
    made = make_repository(tmp_path / "repo", files)
    made.command("git", "rm", "-q", "--cached", "data.bin")
    made.command("dvc", "add", "-q", "data.bin")
    made.run()
    made.write({"dvc.yaml": {"stages": {**STAGES, "frozen": {**STAGES["frozen"], "frozen": True}}}})
    made.commit("recorded")
    return made


def read(bench: Bench, *targets: str) -> Recorded:
    return read_recorded(Repository(bench.root), "HEAD", targets, ".")


@pytest.mark.parametrize(
    ("name", "inputs"),
    [("a@x", set()), ("whole", {"d/x", "d/y"}), ("part", {"t", "data.bin"})],
)
def test_inputs_are_whole_outputs_and_tracked_data(bench: Bench, name: str, inputs: set[str]) -> None:
    recorded = read(bench)
    (stage,) = (stage for stage in recorded.stages if stage.name == name)
    assert set(recorded.inputs(stage)) == inputs


def test_what_cannot_be_judged_says_why(bench: Bench) -> None:
    assert read(bench).unfit == {"frozen": "it is frozen"}


def test_targets_choose(bench: Bench) -> None:
    assert [stage.name for stage in read(bench, "a", "t").stages] == ["a@x", "a@y", "tree"]
    with pytest.raises(UserError, match="there is no stage"):
        read(bench, "no")
