"""`swath gc` beside real jobs: whatever a running pipeline needs stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.job_bench import JobBench, Pipeline
from support.job_services import three_services
from swath.clean.places import GcOptions, clean_remote
from swath.dvc_border.repository import Repository

OPTIONS = GcOptions(30 * 24 * 3600, claims=True, pause=lambda _: None)


@pytest.fixture
def house(tmp_path: Path) -> JobBench:
    (tmp_path / "seen").mkdir()
    return JobBench(tmp_path, three_services(tmp_path / "seen"))


def age(house: JobBench) -> None:
    for path in house.far.rglob("*"):
        os.utime(path, (1, 1))


def clean(house: JobBench) -> set[str]:
    """Paths of what went."""
    return {each.file.path for each in clean_remote(Repository(house.bench.root), None, OPTIONS).files}


def forgotten(house: JobBench) -> Pipeline:
    """A pipeline of long ago, whose results were never recorded."""
    pipeline = house.pipeline()
    pipeline.run_all()
    age(house)
    return pipeline


def test_a_pipeline_of_long_ago_that_was_never_recorded_goes(house: JobBench) -> None:
    forgotten(house)
    assert clean(house)
    left = [str(path.relative_to(house.far)) for path in house.far.rglob("*") if path.is_file()]
    assert left == ["swath/gc.json"]


def test_each_step_of_a_pipeline_finds_what_it_needs_though_its_results_are_old(house: JobBench) -> None:
    pipeline = house.pipeline()
    forgotten(house)
    log = pipeline.run("cut")
    assert "cut restored from the run cache" in log
    for path in house.far.rglob("*"):
        if path.is_file() and f"swath/{pipeline.environ['SWATH_PIPELINE']}/" not in str(path):
            os.utime(path, (1, 1))
    assert clean(house)
    pipeline.run("learn")
    pipeline.run("judge")
    assert pipeline.locks().keys() == {"cut", "learn", "judge"}
    named = {item["md5"] for entry in pipeline.locks().values() for item in entry["outs"]}
    assert named <= house.objects()
