"""How long a job may take, and whether a newer pipeline may stop it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from swath.limits import JOB_TIMEOUT_S, LEAST_JOB_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swath.model.jobs import Workload

# A stage that nobody gave a limit: a day kills what hangs, and little that works.
DEFAULT_STAGE_TIMEOUT_S: Final = 24 * 3600.0
# For pulling and pushing data, and for looking again at what is unchanged.
TRANSFER_ALLOWANCE_S: Final = 1800.0
# Limits are set generously: about four times of what is expected.
_TIMEOUT_OVER_EXPECTED: Final = 4.0
# What is expected to run longer is not stopped by a newer pipeline.
LONG_S: Final = 15 * 60.0
_MINUTE_S: Final = 60


def job_timeout_s(workloads: Iterable[Workload]) -> int:
    """The timeout of a job: of all attempts of its stages, and of the transfers; whole minutes, in GitLab's bounds."""
    stages = (
        (load.timeout_s if load.timeout_s is not None else DEFAULT_STAGE_TIMEOUT_S) * (load.retries + 1)
        for load in workloads
    )
    seconds = math.ceil((sum(stages) + TRANSFER_ALLOWANCE_S) / _MINUTE_S) * _MINUTE_S
    return min(max(seconds, LEAST_JOB_TIMEOUT_S), JOB_TIMEOUT_S)


def expected_s(timeout_s: float | None, said_s: float | None = None) -> float | None:
    """How long a stage may be expected to take: as its author says, else from the limit; None: unknown.

    No earlier run is asked: each job works the same plan out again from the commit alone.
    """
    if said_s is not None:
        return said_s
    return None if timeout_s is None else timeout_s / _TIMEOUT_OVER_EXPECTED


def is_long(expected: float | None, *, training: bool, gpus: int = 0) -> bool:
    """Whether much is lost when a stage is stopped: a training, or what runs long.

    What asks for GPUs counts as a training where nobody says how long it takes: a plain command does not tell.
    """
    return training or (gpus > 0 if expected is None else expected > LONG_S)
