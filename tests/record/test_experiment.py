"""`record/experiment.py`: results become an experiment that DVC takes for one of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.gitlab_checkout import Project, fragments_of, make_project, recording_of, results_of
from support.repositories import CLEAN
from swath.record.experiment import experiment_name, experiment_ref, record_experiment
from swath.record.merge import Results, merge_fragments


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


@pytest.mark.parametrize(
    ("branch", "merge_request", "failed", "name"),
    [
        ("topic", "12", False, "mr-12-4711"),
        ("topic", "12", True, "mr-12-4711-failed"),
        ("main", None, True, "main-4711-failed"),
        ("feature/ü $(id)", None, False, "feature-id-4711"),
        ("-x.lock", None, False, "x-lock-4711"),
        ("漢字", None, False, "branch-4711"),
        (None, None, False, "tag-4711"),
        ("a" * 300, None, False, "a" * 60 + "-4711"),
    ],
)
def test_the_name_is_valid_whatever_the_branch(
    branch: str | None, merge_request: str | None, *, failed: bool, name: str
) -> None:
    assert experiment_name("4711", merge_request=merge_request, branch=branch, failed=failed) == name


@pytest.mark.parametrize(
    ("subfolder", "name"), [("ml-a", "ml-a-mr-12-4711"), ("it's/x ü", "it-s-x-mr-12-4711"), ("ü", "mr-12-4711")]
)
def test_the_name_begins_with_the_folder_of_the_dvc_repository(subfolder: str, name: str) -> None:
    assert experiment_name("4711", merge_request="12", branch="b", failed=False, subfolder=subfolder) == name


def test_the_ref_is_dvcs() -> None:
    assert experiment_ref("ab" * 20, "mr-1-2") == f"refs/exps/ab/{'ab' * 19}/mr-1-2"


def test_dvc_lists_shows_and_compares_it_in_a_fresh_clone(project: Project) -> None:
    results = results_of(project)
    recorded = record_experiment(recording_of(project, project.checkout(), results), project.commit(), "mr-12-4711")
    assert (recorded.how, recorded.name, recorded.parent) == ("experiment", "mr-12-4711", project.commit())
    fresh = project.clone()
    listed = fresh.command("dvc", "exp", "list", "--name-only", "origin").stdout
    assert listed.split() == ["mr-12-4711"]
    fresh.command("dvc", "exp", "pull", "--no-cache", "origin", "mr-12-4711")
    assert "mr-12-4711" in fresh.command("dvc", "exp", "list").stdout
    shown = json.loads(fresh.command("dvc", "exp", "show", "--json").stdout)
    experiment = shown[1]["experiments"][0]["revs"][0]
    assert (experiment["name"], experiment["rev"]) == ("mr-12-4711", recorded.commit)
    assert experiment["data"]["metrics"]["metrics.json"]["data"] == {"loss": 1}
    compared = json.loads(fresh.command("dvc", "exp", "diff", "--json", "HEAD", "mr-12-4711").stdout)
    assert compared["metrics"] == {"metrics.json": {"loss": {"old": None, "new": 1}}}
    fresh.command("dvc", "exp", "push", "--no-cache", "origin", "mr-12-4711")


def test_it_is_applied_in_a_fresh_clone_and_all_is_up_to_date(project: Project) -> None:
    ran = project.checkout()
    ran.run()
    results = merge_fragments(project.commit(), fragments_of(ran, project.commit()))
    record_experiment(recording_of(project, project.checkout(), results), project.commit(), "mr-12-4711")
    fresh = project.clone()
    fresh.command("dvc", "config", "--local", "cache.dir", str(ran.root / ".dvc" / "cache"))
    fresh.command("dvc", "exp", "pull", "--no-cache", "origin", "mr-12-4711")
    fresh.command("dvc", "exp", "apply", "mr-12-4711")
    assert fresh.dvc_status() == CLEAN
    assert fresh.read("dvc.lock") == ran.read("dvc.lock")


def test_from_a_shallow_detached_clone(project: Project) -> None:
    project.push(files={"README": "x"})
    results = results_of(project)
    checkout = project.checkout(depth=1)
    recorded = record_experiment(recording_of(project, checkout, results), project.commit(), "mr-12-4711")
    assert project.served(experiment_ref(project.commit(), "mr-12-4711")) == recorded.commit
    assert project.git("rev-parse", f"{recorded.commit}^") == project.commit()


def test_a_retried_job_finds_its_own(project: Project) -> None:
    results = results_of(project)
    first = record_experiment(recording_of(project, project.checkout(), results), project.commit(), "mr-12-4711")
    again = record_experiment(recording_of(project, project.checkout(), results), project.commit(), "mr-12-4711")
    assert (again.how, again.name, again.commit) == ("already recorded", "mr-12-4711", first.commit)
    assert refs(project) == [experiment_ref(project.commit(), "mr-12-4711")]


def test_more_results_under_the_same_name_overwrite_nothing(project: Project) -> None:
    results = results_of(project)
    part = Results(results.commit, {"prepare": results.stages["prepare"]})
    names = [
        record_experiment(recording_of(project, project.checkout(), each), project.commit(), "x-failed").name
        for each in (part, results, part, results)
    ]
    assert names == ["x-failed", "x-failed-2", "x-failed", "x-failed-2"]


def test_without_anything_new_there_is_none(project: Project) -> None:
    recorded = record_experiment(
        recording_of(project, project.checkout(), Results(project.commit())), project.commit(), "x"
    )
    assert (recorded.how, recorded.commit) == ("nothing new", None)
    assert refs(project) == []


def refs(project: Project) -> list[str]:
    return project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
