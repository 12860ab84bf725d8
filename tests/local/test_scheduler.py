"""`local/scheduler.py`: order, resources, failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swath.local.scheduler import Demand, Hooks, Machine, Result, Schedule, run_tasks

BIG = Machine(8, 8.0, 2**30, (0, 1))


def schedule(
    before: dict[str, list[str]],
    machine: Machine = BIG,
    work: Callable[[str, tuple[int, ...]], Result] = lambda name, gpus: "done",
    demands: dict[str, Demand] | None = None,
    *,
    keep_going: bool = False,
) -> Schedule:
    """Run tasks to their end."""
    hooks = Hooks(work, lambda name: (demands or {}).get(name, Demand()), lambda: None)
    return run_tasks(before, machine, hooks, threading.Event(), keep_going=keep_going)


def test_a_task_starts_after_all_before_it() -> None:
    order: list[str] = []

    def work(name: str, gpus: tuple[int, ...]) -> Result:
        order.append(name)
        return "done"

    schedule({"a": [], "b": ["a"], "c": ["a", "b"]}, work=work)
    assert order == ["a", "b", "c"]


def test_one_job_takes_the_longest_path_first() -> None:
    result = schedule({"short": [], "long": [], "end": ["long"]}, Machine(1, 1.0, 1))
    assert result.done == ["long", "short", "end"]


def test_after_a_failure_nothing_more_starts() -> None:
    result = schedule({"a": [], "b": [], "c": ["a"]}, Machine(1, 1.0, 1), lambda name, gpus: "failed")
    assert (result.failed, result.skipped, result.not_started) == (["a"], {"c": "a"}, ["b"])


def test_keep_going_goes_on_with_what_is_free() -> None:
    before = {"a": [], "b": [], "c": ["a"], "d": ["c"], "e": ["b"]}
    result = schedule(before, work=lambda name, gpus: "failed" if name == "a" else "done", keep_going=True)
    assert (result.failed, sorted(result.done), result.skipped) == (["a"], ["b", "e"], {"c": "a", "d": "a"})


@pytest.mark.parametrize(
    ("demand", "machine", "most"),
    [
        (Demand(cpus=2.0), Machine(8, 5.0, 1), 2),
        (Demand(memory_bytes=3), Machine(8, 8.0, 10), 3),
        (Demand(gpus=1), Machine(8, 8.0, 1, (4, 7)), 2),
        (Demand(), Machine(3, 0.0, 0), 3),
    ],
)
def test_what_runs_together_never_exceeds_the_machine(demand: Demand, machine: Machine, most: int) -> None:
    running, peak, lock = 0, 0, threading.Lock()

    def work(name: str, gpus: tuple[int, ...]) -> Result:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return "done"

    names = [f"t{number}" for number in range(10)]
    schedule({name: [] for name in names}, machine, work, dict.fromkeys(names, demand))
    assert peak == most


def test_a_gpu_belongs_to_one_task_at_a_time() -> None:
    held: set[int] = set()

    def work(name: str, gpus: tuple[int, ...]) -> Result:
        assert not held & set(gpus)
        held.update(gpus)
        time.sleep(0.01)
        held.difference_update(gpus)
        return "done"

    names = [f"t{number}" for number in range(8)]
    result = schedule({name: [] for name in names}, BIG, work, dict.fromkeys(names, Demand(gpus=1)))
    assert len(result.done) == 8


def test_a_demand_is_cut_to_the_machine_and_its_shortage_told() -> None:
    machine = Machine(2, 2.0, 2**30)
    demand = Demand(cpus=16, memory_bytes=2**31, gpus=1)
    assert machine.most_of(demand) == Demand(2.0, 2**30, 0)
    assert machine.shortage(demand) == "it asks for 1 GPUs, this machine has 0"
    assert machine.shortage(Demand(memory_bytes=2**31)) == "it asks for 2.0GiB of memory, this machine has 1.0GiB"
    assert machine.shortage(Demand(cpus=16)) == ""


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_every_task_of_a_random_graph_is_done_once_and_in_order(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 15))
    before = {
        f"t{n}": [f"t{m}" for m in sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=3)))] if n else []
        for n in range(count)
    }
    seen: list[str] = []
    lock = threading.Lock()

    def work(name: str, gpus: tuple[int, ...]) -> Result:
        with lock:
            assert set(before[name]) <= set(seen)
            seen.append(name)
        return "done"

    schedule(before, Machine(data.draw(st.integers(1, 4)), 4.0, 1), work)
    assert sorted(seen) == sorted(before)


def test_a_bug_in_the_work_ends_the_run_and_is_told() -> None:
    started: list[str] = []

    def work(name: str, gpus: tuple[int, ...]) -> Result:
        started.append(name)
        if name == "broken":
            raise ZeroDivisionError(name)
        return "done"

    with pytest.raises(ZeroDivisionError, match="broken"):
        schedule({"first": [], "broken": ["first"], "other": ["first"], "last": ["other"]}, Machine(1, 1.0, 1), work)
    assert started == ["first", "other", "broken"]


def test_the_caller_is_called_while_tasks_run() -> None:
    ticks: list[float] = []
    hooks = Hooks(lambda name, gpus: time.sleep(0.35) or "done", lambda name: Demand(), lambda: ticks.append(0))
    run_tasks({"a": []}, BIG, hooks, threading.Event())
    assert len(ticks) >= 3
