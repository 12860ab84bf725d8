"""`job/merge_train.py`: in a merge train what is long is restored, or the train fails before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.job_bench import JobBench
from swath.errors import UserError

TRAIN = {"CI_MERGE_REQUEST_EVENT_TYPE": "merge_train", "CI_MERGE_REQUEST_IID": "12"}
LONG = {"swath": {"expected": "10h"}}
FILES: dict[str, Any] = {
    "in.txt": "one\n",
    "dvc.yaml": {
        "stages": {
            "short": {"cmd": "head -c 1 in.txt > mid", "deps": ["in.txt"], "outs": ["mid"]},
            "train": {"cmd": "echo trained; cp mid model", "deps": ["mid"], "outs": ["model"], "meta": LONG},
        }
    },
}
REFUSED = (
    "a merge train trains nothing, and this merge has no results yet of: train\n"
    "  bring the branch up to date with the target branch, let the merge request's own pipeline run, and then add it "
    "to the train again: its results are restored here"
)


@pytest.fixture
def house(tmp_path: Path) -> JobBench:
    """A short stage and a long one behind it; nothing has run."""
    return JobBench(tmp_path, FILES)


def test_a_training_without_a_result_stops_the_train_when_it_is_planned(house: JobBench) -> None:
    house.bench.write({"dvc.yaml": {"stages": {"train": FILES["dvc.yaml"]["stages"]["train"]}}, "mid": "1\n"})
    house.bench.commit("the training alone")
    with pytest.raises(UserError) as caught:
        house.pipeline(**TRAIN)
    assert str(caught.value) == REFUSED
    detached = house.pipeline(CI_MERGE_REQUEST_EVENT_TYPE="detached", CI_MERGE_REQUEST_IID="12")
    assert detached.names == ["train"]


def test_what_the_merge_requests_own_pipeline_made_is_restored(house: JobBench) -> None:
    house.pipeline().run_all()
    train = house.pipeline(**TRAIN)
    assert train.names == ["restore"]
    assert "trained" not in "".join(train.run_all().values())
    assert set(train.locks()) == {"short", "train"}


def test_a_training_behind_a_stage_that_runs_is_decided_in_its_job(house: JobBench) -> None:
    """`short` makes the same again (only its first letter counts), so the training has its result."""
    house.pipeline().run_all()
    house.bench.write({"in.txt": "or\n"})
    house.bench.commit("another input, the same intermediate")
    train = house.pipeline(**TRAIN)
    logs = "".join(train.run_all().values())
    assert "short done" in logs
    assert "train restored from the run cache" in logs


def test_a_training_that_turns_out_to_be_new_fails_before_it_runs(house: JobBench) -> None:
    house.pipeline().run_all()
    house.bench.write({"in.txt": "two\n"})
    house.bench.commit("another intermediate")
    train = house.pipeline(**TRAIN)
    with pytest.raises(UserError) as caught:
        train.run_all()
    assert str(caught.value) == REFUSED
    assert "trained" not in train.log


def test_a_fork_is_planned_only_so_nothing_is_refused(house: JobBench) -> None:
    fork = {"CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}
    house.bench.write({"dvc.yaml": {"stages": {"train": FILES["dvc.yaml"]["stages"]["train"]}}, "mid": "1\n"})
    house.bench.commit("the training alone")
    assert house.pipeline(**TRAIN, **fork).names == ["train"]
