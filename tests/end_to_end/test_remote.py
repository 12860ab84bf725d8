"""A DVC remote that is away, stalls or is cut off while jobs work: what was pushed counts, and nothing else does."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from support.network import Line, line_to
from support.repositories import CLEAN
from support.small_project import STAGES
from support.until import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.gitlab_project import GitLabProject
    from support.job_container import Attempt, Task
    from support.pipeline_runner import JobRun, PipelineRun

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def line(small: GitLabProject) -> Iterator[Line]:
    """The line on which the jobs of the small project reach the remote."""
    with line_to(small.remote.port) as line:
        address = small.remote.url(small.remote_name, line.port)
        small.house.files["SWATH_DVC_CONFIG"] = small.remote.dvc_config(url=address)
        yield line


def test_a_remote_that_goes_away_and_one_that_stalls(one_by_one: GitLabProject, line: Line, tmp_path: Path) -> None:
    much = one_by_one.bench.read("params.yaml").replace("count: 20", "count: 100000")
    one_by_one.push("Much", {"params.yaml": much})
    before = one_by_one.house.commit("main")

    def goes_away(task: Task, attempt: Attempt) -> None:
        if task.name.startswith("draw") and attempt.number == 1:
            until(lambda: "drawing b" in attempt.log)
            line.refuse = True
            line.cut()

    one_by_one.house.watch, one_by_one.house.variables["SWATH_REMOTE_WAIT"] = goes_away, "3s"
    broken = one_by_one.pipeline()
    draw, collect = drawing(broken), broken.job("collect")
    assert [[attempt.exit_code for attempt in job.attempts] for job in (draw, collect)] == [[75] * 3, [75] * 3]
    away = "the DVC remote 'origin' cannot be FAULT; it"
    again = [f"swath: {away} is tried again in {pause} s" for pause in (1, 2)]
    last = f"{away} was tried 3 times: see whether it is up, then try again"
    said = [said_by(attempt) for attempt in (*draw.attempts, collect.attempts[0])]
    assert said[0][-3:] == [*again, f"swath: draw@b: {last}"]
    assert said[1:] == [[*again, f"swath: {last}"]] * 3
    assert (one_by_one.house.commit("main"), one_by_one.refs("refs/exps"), one_by_one.ran(broken)) == (
        before,
        [],
        ["draw@a"],
    )

    sent: list[int] = []

    def stalls(task: Task, attempt: Attempt) -> None:
        if task.name.startswith("draw"):
            line.refuse_next = 1  # the job begins and is told to go away
            until(lambda: "drawing c" in attempt.log)
            start = line.up
            until(lambda: line.up > start + 100_000)
            line.stall()
            known = line.connections
            sent.append(line.up - start)
            until(lambda: line.connections > known)  # the job has given the old connection up
            line.flow()

    one_by_one.house.watch, one_by_one.house.variables["SWATH_REMOTE_WAIT"] = stalls, "40s"  # a busy machine is slow
    line.refuse, line.refused, line.bytes_per_s = False, 0, 500_000
    run = one_by_one.pipeline()
    assert run.status == "success", run.story()
    assert [attempt.exit_code for attempt in drawing(run).attempts] == [0]
    assert line.refused == 1
    assert sent[0] < 380_000  # it stalled before the whole file was there
    stalled = "cannot be written to: TimeoutError: nothing moved for 40 s; it is tried again in 1 s"
    assert f"swath: the DVC remote 'origin' {stalled}\n" in drawing(run).log
    assert one_by_one.ran(run) == sorted(set(STAGES) - {"draw@a"})
    clone = one_by_one.clone(tmp_path / "colleague")
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN
    assert broken_objects(one_by_one) == []


def test_a_job_that_is_killed_between_its_push_and_its_fragment_restores(small: GitLabProject, line: Line) -> None:
    found: dict[str, tuple[int, int, bool]] = {}

    def kill(task: Task, attempt: Attempt) -> None:
        if task.name not in {"fit", "judge"} or attempt.number > 1:
            return
        sent, entries = objects(small), len(run_cache(small))
        until(lambda: "$ swath exec" in attempt.log)
        line.delay_s = 0.3  # from here on each question takes a while, so that there is time between two of them
        if task.name == "fit":
            until(lambda: len(run_cache(small)) > entries)
        else:
            until(lambda: objects(small) > sent)
        line.stall()
        attempt.kill("runner_system_failure")
        has_fragment = any(path.stem == task.name for path in (small.remote_folder / "swath").rglob("*.json"))
        found[task.name] = (objects(small) - sent, len(run_cache(small)) - entries, has_fragment)
        line.delay_s = 0
        line.cut()
        line.flow()

    small.house.watch = kill
    run = small.pipeline()
    assert run.status == "success", run.story()
    assert found == {"fit": (2, 1, False), "judge": (1, 0, False)}
    fit, judge = (run.job(name) for name in ("fit", "judge"))
    assert [[attempt.exit_code for attempt in job.attempts] for job in (fit, judge)] == [[137, 0], [137, 0]]
    assert small.ran(run) == sorted(set(STAGES) - {"fit"})
    assert "\nswath: fit restored from the run cache\n" in fit.log
    assert "\nswath: judge done in " in judge.log
    records = {name: record for f in small.fragments(run.id).values() for name, record in f["stages"].items()}
    assert [(records[name]["wall_s"] > 0, records[name]["pushed_bytes"]) for name in ("fit", "judge")] == [
        (False, 0),
        (True, 0),
    ]
    assert set(yaml.safe_load(small.show("dvc.lock"))["stages"]) == set(STAGES)


def drawing(run: PipelineRun) -> JobRun:
    """The job that draws."""
    (job,) = (job for job in run.all_jobs() if job.name.startswith("draw"))
    return job


def said_by(attempt: Attempt) -> list[str]:
    """What Swath itself said; which fault it was depends on what the connection was at."""
    lines = (line for line in attempt.log.splitlines() if line.startswith("swath: "))
    return [re.sub(r"(read|written to): [^;]*", "FAULT", line) for line in lines]


def broken_objects(small: GitLabProject) -> list[Path]:
    """Objects of the remote that are not what their name says; what a cut left behind has a name of its own."""
    folder = small.remote_folder / "files/md5"
    whole = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".tmp")
    return [p for p in whole if hashlib.md5(p.read_bytes()).hexdigest() != (p.parent.name + p.stem)]


def run_cache(small: GitLabProject) -> list[Path]:
    """The entries of the remote's run cache."""
    return [path for path in (small.remote_folder / "runs").rglob("*") if path.is_file()]


def objects(small: GitLabProject) -> int:
    """How many objects are whole in the remote."""
    return sum(path.is_file() and path.suffix != ".tmp" for path in (small.remote_folder / "files").rglob("*"))
