"""What goes wrong while a pipeline runs: nothing is lost, nothing wrong is recorded, and a message says what to do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from support.gitlab_project import TOKEN, GitLabProject
from support.gitlab_variables import MergeRequest
from support.repositories import CLEAN
from support.small_project import PARTS, STAGES
from support.until import until

if TYPE_CHECKING:
    from pathlib import Path

    from support.job_container import Attempt, Task

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1500)]


def test_a_killed_job_goes_on_where_it_was(one_by_one: GitLabProject) -> None:
    def watch(task: Task, attempt: Attempt) -> None:
        if task.name.startswith("draw") and attempt.number == 1:
            until(lambda: "drawing b" in attempt.log)
            attempt.kill("runner_system_failure")

    one_by_one.house.watch = watch
    run = one_by_one.pipeline()
    assert run.status == "success", run.story()
    (draw,) = (job for job in run.all_jobs() if job.name.startswith("draw"))
    assert [attempt.exit_code for attempt in draw.attempts] == [137, 0]
    assert [[f"drawing {part}" in attempt.log for part in PARTS] for attempt in draw.attempts] == [
        [True, True, False],
        [False, True, True],
    ]
    assert one_by_one.ran(run) == sorted(STAGES)


def test_two_pipelines_at_once_share_their_work(small: GitLabProject, tmp_path: Path) -> None:
    drawing = threading.Event()

    def watch(task: Task, _: Attempt) -> None:
        if task.name.startswith("draw"):
            drawing.set()

    small.house.watch = watch
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(small.pipeline)]
        assert drawing.wait(300)
        small.push("Docs", {"README.md": "Nothing that counts.\n"})
        runs.append(pool.submit(small.pipeline))
        first, second = (run.result() for run in runs)
    assert (first.status, second.status) == ("success", "success"), first.story() + second.story()
    assert sorted(small.ran(first) + small.ran(second)) == sorted(STAGES)
    clone = small.clone(tmp_path / "colleague")
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN
    assert clone.read("README.md") == "Nothing that counts.\n"


def test_results_wait_for_a_token_that_may_push(small: GitLabProject) -> None:
    small.house.git.jobs_may_push.clear()
    before = small.house.commit("main")
    without = small.pipeline()
    assert (without.status, small.ran(without)) == ("success", sorted(STAGES)), without.story()
    assert small.house.commit("main") == before
    log = without.job("collect").log
    assert "denies access to the job token (You are not allowed to upload code.): nothing is pushed to Git." in log
    assert "Settings > CI/CD > Job token permissions > Allow Git push requests to the repository" in log
    assert (len(small.house.git.refused), small.house.git.job_tokens) == (1, {})
    small.house.git.refused.clear()

    small.house.variables["SWATH_TOKEN"] = "glpat-expired"
    expired = small.pipeline()
    assert (expired.status, small.ran(expired)) == ("failed", [])
    assert "SWATH_TOKEN" in expired.job("collect").log
    assert "glpat-expired" not in expired.job("collect").log
    assert small.house.git.refused == ["glpat-expired"]

    small.house.variables["SWATH_TOKEN"] = TOKEN
    at_last = small.pipeline()
    assert (at_last.status, small.ran(at_last)) == ("success", []), at_last.story()
    assert f"Swath-Pipeline: {at_last.id}" in small.message()


def test_the_job_token_records_with_no_other_token_and_the_next_push_finds_nothing_to_do(small: GitLabProject) -> None:
    """A job token's push starts no pipeline: whoever pushes next runs on top of the recorded commit."""
    assert "SWATH_TOKEN" not in small.house.variables
    run = small.pipeline()
    assert (run.status, small.ran(run)) == ("success", sorted(STAGES)), run.story()
    assert f"Swath-Pipeline: {run.id}" in small.message()
    assert "swath:" not in run.job("collect").log, run.job("collect").log
    small.pull()
    small.push("Docs", {"README.md": "Nothing that counts.\n"})
    after = small.pipeline()
    assert after.status == "success", after.story()
    assert "nothing-to-do" in after.names()
    assert small.message() == "Docs\n"


def test_a_truncated_fragment_is_told_and_nothing_wrong_is_recorded(small: GitLabProject) -> None:
    cut = threading.Event()

    def watch(task: Task, _: Attempt) -> None:
        if task.name == "collect" and not cut.is_set():
            (path,) = (small.remote_folder / "swath").rglob("fit*.json")
            path.write_text(path.read_text()[:100])
            cut.set()

    small.house.watch = watch
    before = small.house.commit("main")
    run = small.pipeline()
    assert run.status == "failed", run.story()
    log = run.job("collect").log
    assert "fit" in log, log
    assert small.house.commit("main") == before

    again = small.pipeline()
    assert (again.status, small.ran(again)) == ("success", []), again.story()


def test_a_fork_is_checked_and_planned_only(small: GitLabProject) -> None:
    run = small.pipeline(merge_request=MergeRequest(5, "main", from_fork=True))
    assert (run.status, run.names()) == ("success", ["swath:lint", "swath:plan"])
    said = "swath: a merge request from a fork: neither registry nor remote is asked, and nothing will run\n"
    assert run.job("swath:plan").log.startswith(said)
    assert (small.remote_folder.exists(), small.refs("refs/exps")) == (False, [])
