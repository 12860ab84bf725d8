"""`plan/timeouts.py`: how long jobs may take."""

from __future__ import annotations

import pytest

from support.job_graphs import workload
from swath.limits import JOB_TIMEOUT_S
from swath.plan.timeouts import expected_s, is_long, job_timeout_s


@pytest.mark.parametrize(
    ("stages", "seconds"),
    [
        ([(600.0, 0)], 2400),
        ([(600.0, 1), (59.0, 0)], 3060),
        ([(None, 0)], 88_200),
        ([(86_400.0, 0)] * 29, 29 * 86_400 + 1800),
        ([(86_400.0, 0)] * 30, JOB_TIMEOUT_S),
        ([(None, 9)] * 4, JOB_TIMEOUT_S),
    ],
)
def test_all_attempts_and_the_transfers(stages: list[tuple[float | None, int]], seconds: int) -> None:
    assert job_timeout_s(workload(timeout_s=timeout, retries=retries) for timeout, retries in stages) == seconds


def test_what_is_long() -> None:
    assert is_long(None, training=True)
    assert not is_long(None, training=False)
    assert is_long(None, training=False, gpus=1)
    assert not is_long(300.0, training=False, gpus=1)  # somebody says that it is short
    assert expected_s(3600.0, 30.0) == 30.0
    assert is_long(expected_s(None, 901.0), training=False)
    assert [is_long(expected_s(timeout), training=False) for timeout in (None, 3600.0, 3601.0)] == [False, False, True]
