"""`model/jobs.py`: the digest names jobs and stages, and join jobs are looked through."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.model.jobs import Job, PipelinePlan
from swath.model.runner import Runner
from swath.model.service import Resources


def job(name: str, stages: tuple[str, ...] = (), needs: tuple[str, ...] = ()) -> Job:
    """A job; without stages a join job."""
    return Job(name, stages, "image", Runner(), Resources(), needs, 600, interruptible=True, key="", level=0)


PLAN = PipelinePlan(
    "c" * 40,
    1,
    (
        job("a", ("a",)),
        job("b", ("b1", "b2")),
        job("join", (), ("a", "b")),
        job("joins", (), ("join", "b")),
        job("c", ("c",), ("joins",)),
        job("d", ("d",), ("c", "a")),
    ),
)


def test_a_digest_is_16_hex_digits_and_the_same_for_the_same_jobs() -> None:
    assert re.fullmatch("[0-9a-f]{16}", PLAN.digest)
    assert replace(PLAN, jobs=tuple(replace(each) for each in PLAN.jobs)).digest == PLAN.digest


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAN, commit="d" * 40),
        replace(PLAN, level=2),
        replace(PLAN, subfolder="ml"),
        replace(PLAN, jobs=PLAN.jobs[:-1]),
        replace(PLAN, jobs=(PLAN.jobs[1], PLAN.jobs[0], *PLAN.jobs[2:])),
        replace(PLAN, jobs=(replace(PLAN.jobs[0], name="A"), *PLAN.jobs[1:])),
        replace(PLAN, jobs=(replace(PLAN.jobs[0], stages=("A",)), *PLAN.jobs[1:])),
    ],
)
def test_commit_level_jobs_and_stages_change_the_digest(changed: PipelinePlan) -> None:
    assert changed.digest != PLAN.digest


@pytest.mark.parametrize(
    "change",
    [
        {"image": "other"},
        {"images": ("other",)},
        {"runner": Runner(cpus=1)},
        {"resources": Resources(gpus=1)},
        {"timeout_s": 700},
        {"key": "other"},
    ],
)
def test_images_runners_and_times_do_not(change: dict[str, Any]) -> None:
    jobs = tuple(replace(each, **change) for each in PLAN.jobs)
    assert replace(PLAN, jobs=jobs, continues=True).digest == PLAN.digest


@given(st.lists(st.lists(st.text(max_size=3), max_size=3).map(tuple), max_size=3), st.data())
def test_stages_in_other_jobs_are_another_digest(stages: list[tuple[str, ...]], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.lists(st.text(max_size=3), max_size=3).map(tuple), max_size=3))
    digests = [
        PipelinePlan("c", 1, tuple(job("j", each) for each in one)).digest for one in (stages, other)
    ]  # fmt: skip
    assert (digests[0] == digests[1]) == (stages == other)


def test_a_job_is_found_by_its_whole_name() -> None:
    assert PLAN.job("join") is PLAN.jobs[2]
    assert PLAN.job("joi") is None


@pytest.mark.parametrize(
    ("name", "before"),
    [("a", []), ("join", ["a", "b"]), ("joins", ["a", "b"]), ("c", ["a", "b"]), ("d", ["a", "c"])],
)
def test_upstream_are_the_nearest_jobs_with_stages_each_once(name: str, before: list[str]) -> None:
    found = PLAN.job(name)
    assert found is not None
    assert [each.name for each in PLAN.upstream(found)] == before
