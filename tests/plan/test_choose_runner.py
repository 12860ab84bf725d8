"""`plan/choose_runner.py`: the cheapest class that covers the demand. Its error is in tests/job/test_pipeline.py."""

from __future__ import annotations

import pytest

from support.job_graphs import GIB, runner, stage
from swath.errors import UserError
from swath.model.service import Resources
from swath.model.units import Size
from swath.plan.choose_runner import choose_runner

FREE, DEAR, BIG = (
    runner("free"),
    runner("dear", gpus=1, price_per_hour=3),
    runner("big", gpus=2, memory=Size(64 * GIB), price_per_hour=2),
)


@pytest.mark.parametrize(
    ("demand", "tag"),
    [
        (Resources(), "free"),
        (Resources(cpus=4, memory=Size(16 * GIB)), "free"),
        (Resources(cpus=4, memory=Size(16 * GIB + 1)), "big"),
        (Resources(gpus=1), "big"),
        (Resources(gpus=0), "free"),
    ],
)
def test_the_cheapest_that_covers_it(demand: Resources, tag: str) -> None:
    assert choose_runner(stage("s"), demand, [DEAR, BIG, FREE]).tags == [tag]


def test_the_first_of_equal_prices() -> None:
    assert choose_runner(stage("s"), Resources(), [runner("a"), runner("b")]).tags == ["a"]


def test_none() -> None:
    with pytest.raises(UserError) as error:
        choose_runner(stage("s"), Resources(gpus=3, disk=Size(GIB)), [FREE])
    assert str(error.value) == (
        "swath.yaml: runners: no runner of swath.yaml can run the stage s, which asks for 1GiB disk, 3 gpus\n"
        "  1. [free] has only 0 gpus; add a class under `runners`, or let the stage ask for less"
    )
