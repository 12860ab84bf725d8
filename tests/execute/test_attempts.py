"""`execute/attempts.py`: attempts, pauses, sums and one timeout; starters that answer as they are told, no waiting."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field, replace
from threading import Event
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.job_graphs import stage
from swath.execute.attempts import Attempts, Ending, ShellCall, log_name
from swath.model.invocation import Outcome
from swath.model.service import Resources
from swath.model.settings import StageOptions
from swath.model.stage import Stage

GOOD, BAD = Outcome(0), Outcome(1, "it ended with 1")
STAGE = stage("train")


class Pauses(Event):
    """A stop that keeps the pauses, and does not wait; set at the given one."""

    def __init__(self, stop_at: int = 0) -> None:
        super().__init__()
        self.asked: list[float | None] = []
        self._stop_at = stop_at

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout)
        if len(self.asked) == self._stop_at:
            self.set()
        return self.is_set()


@dataclass
class House:
    """What attempts need; commands end as `outcomes` say, one after the other, then well.

    Attributes:
        did: all that was asked, in order.
        takes_s: how long each command takes.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    takes_s: float = 0.0
    did: list[str] = field(default_factory=list)
    calls: list[ShellCall] = field(default_factory=list)
    log: io.BytesIO = field(default_factory=io.BytesIO)
    stop: Pauses = field(default_factory=Pauses)

    def _next(self, what: str) -> Outcome:
        self.did.append(what)
        time.sleep(self.takes_s)
        return self.outcomes.pop(0) if self.outcomes else GOOD

    def service(
        self, stage: Stage, words: tuple[str, ...], gpus: tuple[int, ...], log: BinaryIO, stop: Event
    ) -> Outcome:
        return self._next(f"service {' '.join(words)} on {gpus}")

    def shell(self, call: ShellCall, log: BinaryIO, stop: Event) -> Outcome:
        self.calls.append(call)
        return self._next(f"shell {call.command} on {call.gpus}")

    def run(self, stage: Stage = STAGE, retries: int = 0, timeout_s: float | None = None) -> Ending:
        attempts = Attempts(
            self.service,
            self.shell,
            lambda each: self.did.append(f"prepare {each.name}"),
            lambda each, number: self.did.append(f"started {each.name} {number}"),
        )
        return attempts.run(stage, (0, 2), StageOptions(Resources(), timeout_s, retries), self.log, self.stop)


def test_a_stage_that_ends_well_runs_once() -> None:
    house = House()
    ending = house.run(retries=3)
    assert (ending.outcome.exit_code, ending.outcome.reason, ending.attempts) == (0, "", 1)
    assert house.did == ["started train 1", "prepare train", "shell true on (0, 2)"]
    assert (house.log.getvalue(), house.stop.asked) == (b"$ true\n", [])


def test_services_and_shells_are_told_apart_and_run_in_order() -> None:
    house = House()
    house.run(replace(STAGE, cmd=("swath exec crop --size 3", "echo a > b", "swath exec crop | tee x")))
    assert house.did[2:] == [
        "service crop --size 3 on (0, 2)",
        "shell echo a > b on (0, 2)",
        "shell swath exec crop | tee x on (0, 2)",
    ]


def test_commands_behind_one_that_failed_do_not_run() -> None:
    house = House([GOOD, BAD])
    ending = house.run(replace(STAGE, cmd=("a", "b", "c")))
    assert house.did[2:] == ["shell a on (0, 2)", "shell b on (0, 2)"]
    assert (ending.outcome.exit_code, ending.outcome.reason) == (1, "it ended with 1")


def test_each_attempt_begins_with_stale_outputs_away_and_the_first_command() -> None:
    house = House([GOOD, BAD])
    ending = house.run(replace(STAGE, cmd=("a", "b")), retries=1)
    again = ["prepare train", "shell a on (0, 2)", "shell b on (0, 2)"]
    assert house.did == ["started train 1", *again, "started train 2", *again]
    assert (ending.outcome.exit_code, ending.attempts) == (0, 2)
    assert house.log.getvalue() == b"$ a\n$ b\nswath: it ended with 1; attempt 2 in 1 s\n$ a\n$ b\n"


@given(st.integers(0, 10), st.integers(0, 12))
def test_there_are_no_more_attempts_than_allowed(retries: int, faults: int) -> None:
    house = House([BAD] * faults)
    ending = house.run(retries=retries)
    assert ending.attempts == min(faults, retries) + 1
    assert (ending.outcome.exit_code == 0) == (faults <= retries)
    assert len(house.stop.asked) == ending.attempts - 1


def test_pauses_double_up_to_a_minute() -> None:
    house = House([BAD] * 9)
    house.run(retries=9)
    assert house.stop.asked == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_stop_in_a_pause_ends_it_behind_the_next_attempt_at_most() -> None:
    house = House([BAD] * 9, stop=Pauses(stop_at=2))
    assert house.run(retries=9).attempts <= 3


def test_a_stop_before_the_end_of_an_attempt_allows_no_other() -> None:
    house = House([BAD])
    house.stop.set()
    ending = house.run(retries=9)
    assert (ending.attempts, ending.outcome.exit_code, house.stop.asked) == (1, 1, [])


def test_times_are_summed_and_the_peak_is_the_highest() -> None:
    faults = [Outcome(0, "", 1, 2.0, 50), Outcome(75, "busy", 1, 3.0, 90, temporary=True), Outcome(0, "", 1, 4.0, 70)]
    ending = House(faults).run(replace(STAGE, cmd=("a", "b")), retries=1)
    assert (ending.outcome.cpu_s, ending.outcome.peak_memory_bytes) == (9.0, 90)
    assert ending.outcome.temporary is False


def test_a_fault_that_passes_is_still_told_at_the_end() -> None:
    assert House([Outcome(75, "busy", temporary=True)]).run().outcome.temporary


def test_the_timeout_is_one_over_all_commands() -> None:
    house = House(takes_s=0.05)
    house.run(replace(STAGE, cmd=("a", "b")), timeout_s=10)
    first, second = (call.timeout_s for call in house.calls)
    assert first is not None
    assert second is not None
    assert 9 < second <= first - 0.05 < 10


def test_without_timeout_commands_have_none() -> None:
    house = House()
    house.run()
    assert house.calls[0].timeout_s is None


def test_a_used_up_timeout_leaves_the_next_command_next_to_nothing_and_is_the_reason() -> None:
    house = House([GOOD, Outcome(124, "killed")], takes_s=0.02)
    ending = house.run(replace(STAGE, cmd=("a", "b")), timeout_s=0.01)
    assert house.calls[1].timeout_s == pytest.approx(0.001)
    assert (ending.outcome.exit_code, ending.outcome.reason[:36]) == (124, "it took longer than its timeout of 0")


def test_a_failure_within_the_timeout_keeps_its_reason() -> None:
    assert House([BAD]).run(timeout_s=10).outcome.reason == "it ended with 1"


def test_every_attempt_has_the_whole_timeout() -> None:
    house = House([BAD], takes_s=0.05)
    house.run(retries=1, timeout_s=10)
    assert [round(call.timeout_s or 0, 1) for call in house.calls] == [10, 10]


@pytest.mark.parametrize(("name", "log"), [("train", "train.log"), ("tile@a.b", "tile@a.b.log")])
def test_a_harmless_name_is_that_of_the_log(name: str, log: str) -> None:
    assert log_name(stage(name)) == log


@given(st.text(max_size=30), st.text(max_size=30))
def test_stages_have_a_log_each_and_names_are_files_of_one_folder(one: str, other: str) -> None:
    assert (log_name(stage(one)) == log_name(stage(other))) == (one == other)
    assert "/" not in log_name(stage(one))


def test_long_names_fit_a_file_and_are_told_apart_behind_the_cut() -> None:
    names = {log_name(stage("ä" + "a" * 300 + end)) for end in "bc"}
    assert len(names) == 2
    assert max(map(len, names)) <= 255
