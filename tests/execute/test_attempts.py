"""`execute/attempts.py`: attempts, pauses, sums and one timeout; starters that answer as they are told, no waiting."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from threading import Event
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.job_graphs import stage
from swath.errors import PassingFaultError
from swath.execute.attempts import Attempts, Ending, ServiceCall, ShellCall, log_name
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

    outcomes: list[Outcome | PassingFaultError] = field(default_factory=list)
    takes_s: float = 0.0
    did: list[str] = field(default_factory=list)
    calls: list[ShellCall | ServiceCall] = field(default_factory=list)
    log: io.BytesIO = field(default_factory=io.BytesIO)
    stop: Pauses = field(default_factory=Pauses)

    def _next(self, what: str) -> Outcome:
        self.did.append(what)
        outcome = self.outcomes.pop(0) if self.outcomes else GOOD
        if isinstance(outcome, PassingFaultError):
            raise outcome
        return replace(outcome, wall_s=self.takes_s)

    def service(self, call: ServiceCall, log: BinaryIO, stop: Event) -> Outcome:
        self.calls.append(call)
        return self._next(f"service {' '.join(call.words)} on {call.gpus}")

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
        return attempts.run(stage, ("0", "2"), StageOptions(Resources(), timeout_s, retries), self.log, self.stop)


def test_a_stage_that_ends_well_runs_once() -> None:
    house = House()
    ending = house.run(retries=3)
    assert (ending.outcome.exit_code, ending.outcome.reason, ending.attempts) == (0, "", 1)
    assert house.did == ["started train 1", "prepare train", "shell true on ('0', '2')"]
    assert (house.log.getvalue(), house.stop.asked) == (b"$ true\n", [])


def test_services_and_shells_are_told_apart_and_run_in_order() -> None:
    house = House()
    house.run(replace(STAGE, cmd=("swath exec crop --size 3", "echo a > b", "swath exec crop | tee x")))
    assert house.did[2:] == [
        "service crop --size 3 on ('0', '2')",
        "shell echo a > b on ('0', '2')",
        "shell swath exec crop | tee x on ('0', '2')",
    ]


def test_commands_behind_one_that_failed_do_not_run() -> None:
    house = House([GOOD, BAD])
    ending = house.run(replace(STAGE, cmd=("a", "b", "c")))
    assert house.did[2:] == ["shell a on ('0', '2')", "shell b on ('0', '2')"]
    assert (ending.outcome.exit_code, ending.outcome.reason) == (1, "it ended with 1")


def test_each_attempt_begins_with_stale_outputs_away_and_the_first_command() -> None:
    house = House([GOOD, BAD])
    ending = house.run(replace(STAGE, cmd=("a", "b")), retries=1)
    again = ["prepare train", "shell a on ('0', '2')", "shell b on ('0', '2')"]
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


def test_a_stop_in_a_pause_starts_nothing_more() -> None:
    house = House([BAD] * 9, stop=Pauses(stop_at=2))
    ending = house.run(retries=9)
    assert (ending.attempts, ending.outcome.exit_code, ending.outcome.reason) == (2, 1, "it ended with 1")
    assert [did for did in house.did if did.startswith("shell")] == ["shell true on ('0', '2')"] * 2


def test_a_stop_before_the_end_of_an_attempt_allows_no_other() -> None:
    house = House([BAD])
    attempts = Attempts(house.service, house.shell, lambda _: house.stop.set(), lambda *_: None)
    ending = attempts.run(STAGE, (), StageOptions(Resources(), None, 9), house.log, house.stop)
    assert (ending.attempts, ending.outcome.ended_by, house.stop.asked, house.did) == (1, "stop", [], [])


def test_a_stop_between_two_commands_starts_no_other() -> None:
    house = House()

    class Stopping(io.BytesIO):
        def write(self, data: object, /) -> int:
            house.stop.set()
            return 0

    house.log = Stopping()
    ending = house.run(replace(STAGE, cmd=("a", "b")))
    assert house.did[2:] == ["shell a on ('0', '2')"]
    assert (ending.outcome.exit_code, ending.outcome.reason, ending.outcome.temporary) == (143, "it was stopped", False)


def test_times_are_summed_and_the_peak_is_the_highest() -> None:
    faults = [Outcome(0, "", 1, 2.0, 50), Outcome(75, "busy", 1, 3.0, 90, temporary=True), Outcome(0, "", 1, 4.0, 70)]
    ending = House(faults).run(replace(STAGE, cmd=("a", "b")), retries=1)
    assert (ending.outcome.cpu_s, ending.outcome.peak_memory_bytes) == (9.0, 90)
    assert ending.outcome.temporary is False


def test_a_fault_that_passes_is_still_told_at_the_end() -> None:
    assert House([Outcome(75, "busy", temporary=True)]).run().outcome.temporary


@pytest.mark.parametrize("second", ["b", "swath exec crop"])
@pytest.mark.parametrize("first", ["a", "swath exec crop"])
def test_the_timeout_is_one_over_all_commands(first: str, second: str) -> None:
    house = House(takes_s=4)
    house.run(replace(STAGE, cmd=(first, second)), timeout_s=10)
    assert [call.timeout_s for call in house.calls] == [10, 6]


def test_without_timeout_commands_have_none() -> None:
    house = House()
    house.run(replace(STAGE, cmd=("a", "swath exec crop")))
    assert [call.timeout_s for call in house.calls] == [None, None]


def test_a_used_up_timeout_starts_no_further_command() -> None:
    house = House(takes_s=10)
    ending = house.run(replace(STAGE, cmd=("a", "swath exec crop")), timeout_s=10)
    assert house.did[2:] == ["shell a on ('0', '2')"]
    assert (ending.outcome.exit_code, ending.outcome.reason) == (143, "it took longer than its timeout of 10s")
    assert (ending.outcome.ended_by, ending.outcome.temporary) == ("timeout", False)


def test_the_reason_names_the_stages_timeout_and_not_what_was_left_of_it() -> None:
    cut = Outcome(143, "it took longer than its timeout of 6s", ended_by="timeout")
    ending = House([GOOD, cut], takes_s=4).run(replace(STAGE, cmd=("a", "b")), timeout_s=10)
    assert ending.outcome.reason == "it took longer than its timeout of 10s"


@pytest.mark.parametrize("takes_s", [9, 11])
def test_a_command_that_failed_by_itself_keeps_its_reason(takes_s: float) -> None:
    ending = House([BAD], takes_s=takes_s).run(timeout_s=10)
    assert (ending.outcome.reason, ending.outcome.ended_by) == ("it ended with 1", "itself")


def test_every_attempt_has_the_whole_timeout() -> None:
    house = House([BAD], takes_s=9)
    house.run(retries=1, timeout_s=10)
    assert [call.timeout_s for call in house.calls] == [10, 10]


def test_a_registry_that_does_not_answer_is_tried_again() -> None:
    house = House([PassingFaultError("no answer"), PassingFaultError("no answer")])
    crop = replace(STAGE, cmd="swath exec crop")
    ending = house.run(crop, retries=2)
    assert (ending.outcome.exit_code, ending.attempts) == (0, 3)
    house = House([PassingFaultError("no answer")])
    ending = house.run(crop)
    assert (ending.outcome.exit_code, ending.outcome.reason, ending.outcome.temporary) == (75, "no answer", True)


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


@pytest.mark.parametrize("outcome", [GOOD, BAD])
@pytest.mark.parametrize("takes_s", [0.0, 3600.0])
@pytest.mark.parametrize("stop_at", [0, 1])
def test_what_a_signal_may_have_ended_counts_when_no_stop_follows(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, takes_s: float, stop_at: int
) -> None:
    monkeypatch.setattr("swath.execute.attempts._LONG_S", 0.0 if takes_s else 60.0)
    house = House([outcome], stop=Pauses(stop_at))
    attempts = Attempts(house.service, house.shell, lambda _: None, lambda *_: None, signal_gap_s=2.0)
    ending = attempts.run(STAGE, (), StageOptions(Resources(), None, 0), house.log, house.stop)
    is_asked = outcome is BAD or takes_s > 0
    assert house.stop.asked == ([2.0] if is_asked else [])
    is_good = outcome is GOOD and not (is_asked and stop_at)
    assert (ending.outcome.exit_code == 0, ending.attempts) == (is_good, 1)
    assert (ending.outcome.ended_by == "stop") == (outcome is GOOD and not is_good)
