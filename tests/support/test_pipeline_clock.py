"""The clock of pipelines keeps GitLab's rule about pending jobs."""

from __future__ import annotations

from typing import Any

from support.pipeline_clock import Clock

HOUR = 3600.0
RETRY = {"max": 2, "when": ["stuck_or_timeout_failure"]}


def two(**keywords: Any) -> dict[str, Any]:
    """Two independent jobs, and one at the end."""
    job = {"stage": "a", "tags": ["gpu"], "needs": [], **keywords}
    return {"stages": ["a", "z"], "x": job, "y": dict(job), "end": {"stage": "z", "tags": ["cpu"], "when": "always"}}


def clock(**seconds: float) -> Clock:
    """One GPU."""
    return Clock({("gpu",): 1, ("cpu",): 4}, seconds)


def test_a_job_that_is_pending_for_a_day_is_dropped_and_retry_counts_it() -> None:
    without = clock(x=40 * HOUR, y=40 * HOUR)
    without.create(two())
    without.run()
    assert (without.job("y").state, without.job("y").dropped) == ("failed", 1)
    again = clock(x=40 * HOUR, y=HOUR)
    again.create(two(retry=RETRY))
    again.run()
    assert (again.job("y").state, again.job("y").dropped, again.now_s) == ("success", 1, 41 * HOUR + 60)
    longer = clock(x=80 * HOUR, y=HOUR)
    longer.create(two(retry=RETRY))
    longer.run()
    assert (longer.job("y").state, longer.job("y").dropped) == ("failed", 3)


def test_who_waits_for_a_resource_group_is_not_pending() -> None:
    made = clock(x=80 * HOUR, y=HOUR)
    made.create(two(resource_group="g"))
    made.run(HOUR)
    assert (made.job("x").state, made.job("y").state) == ("running", "waiting_for_resource")
    made.run()
    assert (made.job("y").state, made.job("y").dropped, made.job("end").state) == ("success", 0, "success")


def test_a_job_whose_need_failed_is_skipped_and_the_last_one_runs() -> None:
    made = Clock({("gpu",): 1, ("cpu",): 1}, fails=frozenset({"x"}))
    document = two()
    document["y"] = {**document["y"], "needs": ["x"]}
    made.create(document)
    made.run()
    assert [made.job(name).state for name in ("x", "y", "end")] == ["failed", "skipped", "success"]
