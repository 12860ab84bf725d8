"""What comes back into Git: of a pipeline that failed, beside a merge request, and on a branch that moved meanwhile."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.gitlab_variables import MergeRequest
from support.repositories import CLEAN
from support.small_project import STAGES

if TYPE_CHECKING:
    from pathlib import Path

    from support.gitlab_project import GitLabProject
    from support.job_container import Attempt, Task
    from support.repositories import Bench

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]
CHECK = {
    "check": {
        "cmd": "test ${most} -gt 10 && cp data/model.json data/checked.json",
        "deps": ["data/model.json"],
        "outs": ["data/checked.json"],
    },
    "publish": {
        "cmd": "cp data/checked.json data/published.json",
        "deps": ["data/checked.json"],
        "outs": ["data/published.json"],
    },
}


def test_a_failed_pipeline_goes_on_in_the_next_and_a_merge_request_is_compared_with_it(
    small: GitLabProject, tmp_path: Path
) -> None:
    workflow = yaml.safe_load(small.bench.read("dvc.yaml"))
    parameters = yaml.safe_load(small.bench.read("params.yaml"))
    workflow["stages"] |= CHECK
    small.push("Check", {"dvc.yaml": workflow, "params.yaml": {**parameters, "most": 5}})
    pushed = small.house.commit("main")
    failed = small.pipeline()
    assert failed.names("failed") == ["check .. publish", "swath:run"], failed.story()
    assert failed.job("check .. publish").log.rstrip().endswith("swath: check failed: it ended with exit code 1")
    assert (small.ran(failed), small.house.commit("main")) == (sorted([*STAGES, "check"]), pushed)
    assert small.refs("refs/exps") == [f"refs/exps/{pushed.sha[:2]}/{pushed.sha[2:]}/main-{failed.id}-failed"]
    assert set(small.lock_of_experiment()) == set(STAGES)

    small.push("Mend", {"params.yaml": {**parameters, "most": 20}})
    mended = small.pipeline()
    assert (mended.status, small.ran(mended)) == ("success", ["check", "publish"]), mended.story()
    recorded = small.house.commit("main")
    assert recorded.message.endswith(f"\n\nSwath-Pipeline: {mended.id}\n")
    small.pull()
    assert set(small.bench.lock()) == {*STAGES, *CHECK}

    small.push("Rate", {"params.yaml": {**parameters, "most": 20, "fit": {"rate": 0.25}}}, branch="rate")
    change = small.pipeline("rate", MergeRequest(7, "rate"))
    assert (change.status, small.ran(change)) == ("success", ["check", "fit", "judge", "publish"]), change.story()
    assert (small.house.commit("main"), small.message("rate")) == (recorded, "Rate\n")
    name = f"mr-7-{change.id}"
    assert f"It comes into a clone with:\n  dvc exp pull origin {name}\n" in change.job("collect").log
    clone = small.clone(tmp_path / "colleague", "rate")
    clone.command("git", "branch", "main", "origin/main")
    clone.command("dvc", "exp", "pull", "origin", name)
    assert compared(clone, "main", "rate") == {
        "main": (0.5, 160887.38333333333),
        "rate": (0.25, 160887.38333333333),  # what Git has there is of main
        name: (0.25, 80443.69166666667),
    }
    clone.command("dvc", "exp", "apply", name)
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN


def test_what_others_pushed_meanwhile_stays_and_results_for_other_inputs_are_left_out(
    small: GitLabProject, tmp_path: Path
) -> None:
    begun = small.house.commit("main")
    workflow = yaml.safe_load(small.bench.read("dvc.yaml"))
    workflow["stages"]["note"] = {"cmd": "cp README.md note.txt", "deps": ["README.md"], "outs": ["note.txt"]}
    small.bench.write({"dvc.yaml": workflow})
    small.bench.command("dvc", "repro", "-q", "note")
    small.bench.command("dvc", "push", "-q", "note")
    small.bench.commit("A note")
    small.bench.write({"params.yaml": small.bench.read("params.yaml").replace("0.5", "0.25")})
    small.bench.commit("Rate")
    moved = threading.Event()

    def others_push(task: Task, _: Attempt) -> None:
        if task.name == "judge" and not moved.is_set():
            moved.set()
            small.bench.command("git", "push", "-q", "origin", "HEAD:main")

    small.house.watch = others_push
    first = small.pipeline()
    assert first.status == "success", first.story()
    theirs = small.bench.lock()["note"]
    others = [
        f"not recorded: {stage}: its command, inputs or parameters are others there" for stage in ("fit", "judge")
    ]
    log = first.job("collect").log
    assert [line for line in log.splitlines() if line.startswith("not recorded")] == others
    small.pull()
    subjects = small.house.git_command("log", "--format=%s", f"{begun.sha}..main").splitlines()
    assert subjects == [f"Record pipeline {first.id}", "Rate", "A note"]
    known = {name for name in STAGES if name not in {"fit", "judge"}}
    assert set(small.bench.lock()) == {*known, "note"}
    assert small.bench.lock()["note"] == theirs
    assert not (small.bench.root / "results").exists()

    run = small.pipeline(source="web")
    assert (run.status, small.ran(run)) == ("success", ["fit", "judge"]), run.story()
    clone = small.clone(tmp_path / "colleague")
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN
    assert set(clone.lock()) == {*STAGES, "note"}


def compared(clone: Bench, *revisions: str) -> dict[str, tuple[float, float]]:
    """Rate and mean in the rows that `dvc exp show` has for some revisions and their experiments."""
    words = [word for revision in revisions for word in ("--rev", revision)]
    shown = json.loads(clone.command("dvc", "exp", "show", "--json", *words).stdout)
    rows: dict[str, Any] = {}
    for baseline in shown[1:]:
        rows[baseline["name"]] = baseline
        for experiment in baseline["experiments"] or ():
            rows[experiment["name"]] = experiment["revs"][0]
    return {name: _rate_and_mean(row["data"]) for name, row in rows.items()}


def _rate_and_mean(data: Any) -> tuple[float, float]:
    parameters, metrics = data["params"]["params.yaml"]["data"], data["metrics"]["results/metrics.json"]["data"]
    return parameters["fit"]["rate"], metrics["mean"]
