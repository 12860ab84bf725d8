"""`model/runner.py`: what a runner class lacks of a demand, and what swath.yaml may say of one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.limits import TAGS
from swath.model.runner import Runner
from swath.model.service import Resources
from swath.model.units import Size

RUNNER = Runner(cpus=2, memory=Size(1000), disk=Size(500), gpus=1)


def demands() -> st.SearchStrategy[Resources]:
    """Around what the runner offers, and nothing."""
    return st.builds(
        Resources,
        cpus=st.sampled_from([None, 1.5, 2, 2.5]),
        memory=st.sampled_from([None, *map(Size, (999, 1000, 1001))]),
        disk=st.sampled_from([None, *map(Size, (499, 500, 501))]),
        gpus=st.sampled_from([None, 0, 1, 2]),
    )


@given(demands())
def test_exactly_what_is_more_than_offered_is_lacking(demand: Resources) -> None:
    more = Resources(cpus=2.5, memory=Size(1001), disk=Size(501), gpus=2)
    names = [name for name in ("cpus", "memory", "disk", "gpus") if getattr(demand, name) == getattr(more, name)]
    assert RUNNER.lacking(demand) == tuple(names)


def test_no_demand_lacks_nothing() -> None:
    assert Runner(gpus=0).lacking(Resources()) == ()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"cpus": 0}, "Expected `float` > 0.0 - at `$.cpus`"),
        ({"gpus": -1}, "Expected `int` >= 0 - at `$.gpus`"),
        ({"concurrency": 0}, "Expected `int` >= 1 - at `$.concurrency`"),
        ({"cache": "relative"}, "Expected `str` matching regex '^/' - at `$.cache`"),
        ({"price_per_hour": -0.1}, "Expected `float` >= 0.0 - at `$.price_per_hour`"),
        ({"tags": [""]}, "Expected `str` of length >= 1 - at `$.tags[0]`"),
        ({"tags": ["t"] * (TAGS + 1)}, f"Expected `array` of length <= {TAGS} - at `$.tags`"),
        ({"tag": "docker"}, "Object contains unknown field `tag`"),
    ],
)
def test_what_no_runner_can_be_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(said, Runner)
    assert str(caught.value) == message


@pytest.mark.parametrize("said", [{"cpus": 0.1}, {"gpus": 0}, {"concurrency": 1}, {"tags": []}, {"tags": ["t"] * TAGS}])
def test_the_least_and_the_most_are_taken(said: dict[str, Any]) -> None:
    runner = msgspec.convert(said, Runner)
    assert {name: getattr(runner, name) for name in said} == said
