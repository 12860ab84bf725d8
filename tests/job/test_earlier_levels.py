"""Stages that are known only at run time: a second level of the pipeline does them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.job_bench import JobBench
from swath.errors import UserError

FILES = {
    "in": "a b\n",
    "found.yaml": "scenes: []\n",
    ".dvcignore": ".gitignore\n",
    "dvc.yaml": {
        "vars": ["found.yaml"],
        "stages": {
            "find": {
                "cmd": "echo \"scenes: [$(sed 's/ /, /g' in)]\" > found.yaml",
                "deps": ["in"],
                "outs": [{"found.yaml": {"cache": False}}],
            },
            "use": {
                "foreach": "${scenes}",
                "do": {"cmd": "echo ${item} > ${item}.txt", "deps": ["found.yaml"], "outs": ["${item}.txt"]},
            },
        },
    },
}


def test_the_second_level_knows_what_the_first_has_found(tmp_path: Path) -> None:
    house = JobBench(tmp_path, FILES)
    first = house.pipeline(7)
    assert (first.names, first.plan.continues) == (["find"], True)
    first.run_all()
    second = house.pipeline(7, level=2)
    assert second.environ["SWATH_LEVEL"] == "2"
    second.run_all()
    assert list(second.locks()) == ["use@a", "use@b"]
    bench = first.clone()
    bench.run()
    assert bench.lock() == {**first.locks(), **second.locks()}


def test_without_the_first_level_there_is_no_second(tmp_path: Path) -> None:
    house = JobBench(tmp_path, FILES)
    with pytest.raises(UserError) as caught:
        house.pipeline(8, level=2)
    assert str(caught.value) == (
        "the levels before level 2 of the pipeline 8 left nothing in the DVC remote\n  start a new pipeline"
    )


def test_a_first_level_of_another_commit_is_refused(tmp_path: Path) -> None:
    house = JobBench(tmp_path, FILES)
    house.pipeline(9).run_all()
    house.bench.commit("another")
    with pytest.raises(UserError, match=r"swath/9/1/find\.json: it is of commit "):
        house.pipeline(9, level=2)
