"""`local/scheduler.py`: order, resources, failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swath.errors import PassingFaultError, UserError
from swath.local.resources import Demand, Machine
from swath.local.scheduler import Hooks, Result, Schedule, run_tasks

BIG = Machine(8, 8.0, 2**30, ("0", "1"))


def schedule(
    before: dict[str, list[str]],
    machine: Machine = BIG,
    work: Callable[[str, tuple[str, ...]], Result] = lambda name, gpus: "done",
    demands: dict[str, Demand] | None = None,
    *,
    keep_going: bool = False,
) -> Schedule:
    """Run tasks to their end."""
    hooks = Hooks(work, lambda name: (demands or {}).get(name, Demand()), lambda: None)
    return run_tasks(before, machine, hooks, threading.Event(), keep_going=keep_going)


def test_a_task_starts_after_all_before_it() -> None:
    order: list[str] = []

    def work(name: str, gpus: tuple[str, ...]) -> Result:
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
        (Demand(gpus=1), Machine(8, 8.0, 1, ("4", "7")), 2),
        (Demand(), Machine(3, 0.0, 0), 3),
    ],
)
def test_what_runs_together_never_exceeds_the_machine(demand: Demand, machine: Machine, most: int) -> None:
    running, peak, lock = 0, 0, threading.Lock()

    def work(name: str, gpus: tuple[str, ...]) -> Result:
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
    held: set[str] = set()

    def work(name: str, gpus: tuple[str, ...]) -> Result:
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

    def work(name: str, gpus: tuple[str, ...]) -> Result:
        with lock:
            assert set(before[name]) <= set(seen)
            seen.append(name)
        return "done"

    schedule(before, Machine(data.draw(st.integers(1, 4)), 4.0, 1), work)
    assert sorted(seen) == sorted(before)


def test_a_bug_in_the_work_ends_the_run_and_is_told() -> None:
    started: list[str] = []

    def work(name: str, gpus: tuple[str, ...]) -> Result:
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


def test_tasks_that_do_not_fit_idle_nothing() -> None:
    """200 of one GPU, which is one, stand before 40 that need none: these run meanwhile."""
    before: dict[str, list[str]] = {f"train{n}": [] for n in range(200)} | {f"cut{n}": [] for n in range(40)}
    demands = {name: Demand(cpus=1.0, gpus=1 if name.startswith("train") else 0) for name in before}
    order: list[str] = []

    def work(name: str, gpus: tuple[str, ...]) -> Result:
        time.sleep(0.01 if gpus else 0.001)
        order.append(name)
        return "done"

    result = schedule(before, Machine(4, 4.0, 1, ("0",)), work, demands)
    assert len(result.done) == 240
    assert max(order.index(f"cut{n}") for n in range(40)) < 60


@pytest.mark.parametrize(
    "fault", [UserError("dvc.lock is broken"), OSError(28, "No space left on device"), KeyboardInterrupt()]
)
def test_what_the_callers_tick_raises_stops_the_run_and_is_raised(fault: BaseException) -> None:
    stop, started = threading.Event(), []

    def work(name: str, gpus: tuple[str, ...]) -> Result:
        started.append(name)
        return "failed" if stop.wait(10) else "done"

    def tick() -> None:
        raise fault

    hooks = Hooks(work, lambda name: Demand(), tick)
    with pytest.raises(type(fault)) as caught:
        run_tasks({f"t{n}": [] for n in range(10)}, Machine(2, 2.0, 1), hooks, stop)
    assert caught.value is fault
    assert started == ["t0", "t1"]
    assert [thread for thread in threading.enumerate() if thread.name.startswith("swath")] == []


def test_a_bug_in_a_demand_ends_the_run_and_is_told() -> None:
    def demand(name: str) -> Demand:
        if name == "broken":
            raise ZeroDivisionError(name)
        return Demand()

    with pytest.raises(ZeroDivisionError, match="broken"):
        run_tasks({"a": [], "broken": ["a"]}, BIG, Hooks(lambda *_: "done", demand, lambda: None), threading.Event())


@pytest.mark.parametrize("can_start", [1, 2])
def test_where_no_more_threads_can_be_started_fewer_do_the_work(
    can_start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = limit_threads(can_start, monkeypatch)
    result = schedule({f"t{n}": [] for n in range(20)})
    assert (sorted(result.done), len(started)) == (sorted(f"t{n}" for n in range(20)), can_start)


def test_where_no_thread_can_be_started_the_run_ends_with_a_fault_that_may_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit_threads(0, monkeypatch)
    with pytest.raises(PassingFaultError) as caught:
        schedule({"a": [], "b": []})
    assert str(caught.value) == (
        "no thread can be started (can't start new thread): too many processes, or too little memory; "
        "end some, then run again"
    )


def limit_threads(most: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the system refuse further threads; gives the names of those that were started."""
    started: list[str] = []
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    return started


def test_ten_thousand_ready_tasks_are_done_in_little_time() -> None:
    before: dict[str, list[str]] = {f"t{n}": [] for n in range(10_000)}
    demands = {name: Demand(cpus=1.0, gpus=n % 2) for n, name in enumerate(before)}
    begin = time.process_time()
    assert len(schedule(before, Machine(4, 4.0, 1, ("0",)), demands=demands).done) == 10_000
    assert time.process_time() - begin < 10
