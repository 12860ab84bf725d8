"""Stages that are known only at run time: the first level finds them, the second does them, and one commit has both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.repositories import CLEAN

if TYPE_CHECKING:
    from pathlib import Path

    from support.gitlab_project import GitLabProject
    from support.pipeline_runner import PipelineRun

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_second_level_does_what_the_first_has_found(small: GitLabProject, tmp_path: Path) -> None:
    begun = small.house.commit("main")
    small.push("Parts are found", finding(small))
    first = small.pipeline()
    assert first.status == "success", first.story()
    level_1 = child_of(first)
    level_2 = child_of(level_1)
    assert [level.document["variables"] for level in (level_1, level_2)] == [
        {"SWATH_LEVEL": "1", "SWATH_DECISIONS": "1r2u"},
        {"SWATH_LEVEL": "2", "SWATH_DECISIONS": "1u6r"},
    ]
    assert {name: job.status for name, job in level_1.jobs.items()} == {
        "find": "success",
        "plan": "success",
        "collect": "skipped",
        "level-2": "success",
    }
    assert small.ran(first) == ["draw@a", "draw@b", "find", "fit", "judge", "square@a", "square@b"]
    levels = {path.partition("/")[0] for path in small.fragments(first.id)}
    assert (levels, small.fragments(first.id)["1/find.json"]["files"]["found.yaml"]["text"]) == (
        {"1", "2"},
        "parts: [a, b]\n",
    )
    commits = small.house.git_command("log", "--format=%s", f"{begun.sha}..main").splitlines()
    assert commits == [f"Record pipeline {first.id}", "Parts are found"]
    check_clone(small, tmp_path / "colleague", "parts: [a, b]\n")

    small.pull()
    small.push("Another part", {"wanted.txt": "a, c\n"})
    second = small.pipeline()
    assert second.status == "success", second.story()
    assert small.ran(second) == ["draw@c", "find", "fit", "judge", "square@c"]
    check_clone(small, tmp_path / "another", "parts: [a, c]\n")


def test_a_second_level_that_gitlab_refuses_loses_nothing_of_the_first(small: GitLabProject) -> None:
    """A limit that nobody knew of, a setting of the server: the trigger fails, and no child is there to record."""
    small.house.refuses = lambda document: document["variables"]["SWATH_LEVEL"] == "2"
    small.push("Parts are found", finding(small))
    run = small.pipeline()
    level_1 = child_of(run)
    assert {name: job.status for name, job in level_1.jobs.items()} == {
        "find": "success",
        "plan": "success",
        "level-2": "failed",
        "collect": "success",
    }
    assert run.status == "failed"
    assert list(small.lock_of_experiment()) == ["find"]
    assert small.refs("refs/exps")[0].endswith(f"/main-{run.id}-failed")
    small.house.refuses = None
    again = small.pipeline()
    assert again.status == "success", again.story()


def test_a_second_level_that_fails_is_recorded_once(small: GitLabProject) -> None:
    files = finding(small)
    workflow: Any = files["dvc.yaml"]
    workflow["stages"]["broken"] = {"foreach": "${parts}", "do": {"cmd": "exit 3", "outs": ["broken-${item}"]}}
    small.push("One is broken", files)
    run = small.pipeline()
    level_1 = child_of(run)
    assert {name: job.status for name, job in level_1.jobs.items() if name in {"level-2", "collect"}} == {
        "level-2": "failed",
        "collect": "success",
    }, run.story()
    assert "already recorded" in level_1.jobs["collect"].log
    assert {"find", "fit", "judge"} < set(small.lock_of_experiment())


def child_of(run: PipelineRun) -> PipelineRun:
    """The only pipeline that a pipeline has started."""
    (child,) = (job.child for job in run.jobs.values() if job.child)
    return child


def finding(small: GitLabProject) -> dict[str, object]:
    """The files of the project, changed so that a first stage says which parts there are."""
    parameters = yaml.safe_load(small.bench.read("params.yaml"))
    del parameters["parts"]
    workflow = yaml.safe_load(small.bench.read("dvc.yaml"))
    find = {
        "cmd": 'read parts <wanted.txt && echo "parts: [$parts]" >found.yaml',
        "deps": ["wanted.txt"],
        "outs": [{"found.yaml": {"cache": False}}],
    }
    stages = {"find": find, **workflow["stages"]}
    return {"params.yaml": parameters, "dvc.yaml": {"vars": ["found.yaml"], "stages": stages}, "wanted.txt": "a, b\n"}


def check_clone(small: GitLabProject, folder: Path, found: str) -> None:
    """A colleague's clone has all results, and DVC finds nothing to do there."""
    clone = small.clone(folder)
    clone.command("dvc", "pull", "-q")
    assert clone.dvc_status() == CLEAN
    assert clone.read("found.yaml") == found
