"""`local/ready.py`: who starts next, and that it is said in time."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from swath.local.ready import ReadyTasks
from swath.local.resources import Demand, Free, Machine

GPU, CORE = Demand(cpus=1.0, gpus=1), Demand(cpus=1.0)


def ready(tasks: dict[str, Demand], patience: int = 4) -> ReadyTasks:
    """All tasks, in this order."""
    made = ReadyTasks(patience)
    for number, (name, demand) in enumerate(tasks.items()):
        made.add(name, (0, number), demand)
    return made


def names(made: ReadyTasks, free: Free, most: int = 100) -> list[str]:
    """Those that start now."""
    return [name for name, _, _ in made.take(free, most)]


def test_the_first_in_order_start_as_long_as_there_is_room() -> None:
    made = ready(dict.fromkeys("abcde", CORE))
    free = Free(Machine(8, 3.0, 1))
    assert names(made, free) == ["a", "b", "c"]
    assert names(made, free) == []
    free.give(CORE, ())
    assert names(made, free) == ["d"]


def test_not_more_start_than_wanted() -> None:
    assert names(ready(dict.fromkeys("abc", Demand())), Free(Machine(8, 1.0, 1)), 2) == ["a", "b"]


def test_a_task_that_comes_later_may_stand_first() -> None:
    made = ready({"a": CORE})
    made.add("urgent", (-1, 9), CORE)
    made.add("last", (0, 9), CORE)
    assert names(made, Free(Machine(8, 9.0, 1))) == ["urgent", "a", "last"]


def test_any_number_of_tasks_that_do_not_fit_holds_up_nobody() -> None:
    tasks = {f"train{n}": GPU for n in range(200)} | {f"cut{n}": CORE for n in range(40)}
    free = Free(Machine(8, 8.0, 1, ("0",)))
    assert names(ready(tasks), free, 8) == ["train0", *(f"cut{n}" for n in range(7))]


def test_demands_that_are_all_different_hold_up_nobody() -> None:
    tasks = {f"big{n}": Demand(memory_bytes=1000 + n) for n in range(200)} | {"small": Demand(memory_bytes=1)}
    assert names(ready(tasks), Free(Machine(8, 8.0, 999))) == ["small"]


def test_a_task_that_needs_the_whole_machine_waits_for_a_bounded_number_of_others() -> None:
    machine = Machine(4, 4.0, 1)
    made = ready({"first": CORE, "whole": Demand(cpus=4.0), **{f"small{n}": CORE for n in range(100)}})
    free, order = Free(machine), []
    running = made.take(free, 4)
    while running:
        name, demand, gpus = running.pop(0)
        order.append(name)
        free.give(demand, gpus)
        running += made.take(free, 4 - len(running))
    assert order.index("whole") <= 1 + 4 + 3  # `first`, its patience, and one dispatch beside
    assert len(order) == 102


def test_what_an_overdue_task_does_not_lack_stays_in_use() -> None:
    tasks = {"held": GPU, "next": GPU, **{f"cut{n}": CORE for n in range(50)}}
    made, free = ready(tasks), Free(Machine(4, 4.0, 1, ("0",)))
    assert names(made, free, 4) == ["held", "cut0", "cut1", "cut2"]
    for number in range(3, 20):
        free.give(CORE, ())
        assert names(made, free, 1) == [f"cut{number}"]
    free.give(GPU, ("0",))
    assert names(made, free, 1) == ["next"]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_everything_starts_and_nothing_exceeds_the_machine(data: st.DataObject) -> None:
    machine = Machine(data.draw(st.integers(1, 4)), 4.0, 8, ("5", "7"))
    demand = st.builds(Demand, st.sampled_from([0.0, 0.5, 1.0, 4.0]), st.integers(0, 8), st.integers(0, 2))
    tasks = {f"t{n}": each for n, each in enumerate(data.draw(st.lists(demand, max_size=30)))}
    made, free, running, seen = ready(tasks, data.draw(st.integers(1, 5))), Free(machine), [], []
    while True:
        taken = made.take(free, machine.jobs - len(running))
        running += taken
        seen += [name for name, _, _ in taken]
        held = [gpu for _, _, gpus in running for gpu in gpus]
        assert len(held) == len(set(held))
        assert sum(each.cpus for _, each, _ in running) <= machine.cpus
        assert sum(each.memory_bytes for _, each, _ in running) <= machine.memory_bytes
        if not running:
            break
        _, ended, gpus = running.pop(data.draw(st.integers(0, len(running) - 1)))
        free.give(ended, gpus)
    assert sorted(seen) == sorted(tasks)


def test_ten_thousand_ready_tasks_take_no_time() -> None:
    """One end and one start each: 10,000 tasks of two demands, of which one does not fit."""
    tasks = {f"t{n}": GPU if n % 2 else CORE for n in range(10_000)}
    begin = time.process_time()
    made, free = ready(tasks), Free(Machine(4, 4.0, 1))  # no GPU
    started = 0
    while taken := made.take(free, 4):
        for _, demand, gpus in taken:
            free.give(demand, gpus)
        started += len(taken)
    assert started == 5000
    assert time.process_time() - begin < 5
