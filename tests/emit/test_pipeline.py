"""What GitLab asks of any child pipeline, and what is promised of ours, on every example of tests/golden/.

Each test stands for a limit or a trap of GitLab's that the schema does not know.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import yaml

from swath.emit.job import clean
from swath.emit.own_jobs import CREATED, PASSED_ON

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FILES = sorted(GOLDEN.glob("*/expected.yml"))
HEAD = {"workflow", "stages", "variables"}
Jobs = dict[str, dict[str, Any]]

pytestmark = pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)


def document(file: Path) -> dict[str, Any]:
    """The whole pipeline."""
    return dict(yaml.safe_load(file.read_text()))


def jobs(file: Path) -> Jobs:
    """Its jobs."""
    return {name: job for name, job in document(file).items() if name not in HEAD}


def subfolder(file: Path) -> str:
    """Where the DVC repository of an example lies in Git's checkout."""
    return "ml" if file.parent.name == "subfolder" else ""


def test_another_parser_reads_the_same(file: Path) -> None:
    """GitLab reads it with Ruby's libyaml, editors with YAML 1.2."""
    parsed = ruamel.yaml.YAML(typ="safe", pure=True).load(file.read_text())
    assert parsed == document(file)


def test_a_merge_requests_child_has_jobs(file: Path) -> None:
    """Below a merge request's pipeline GitLab takes only jobs that rules let in."""
    rules = [{"if": '$CI_PIPELINE_SOURCE == "parent_pipeline"'}, {"when": "always"}]
    assert document(file)["workflow"]["rules"] == rules
    assert not [name for name, job in jobs(file).items() if {"rules", "only", "except"} & set(job)]


def test_no_other_keyword_is_used(file: Path) -> None:
    """Each has limits and traps of its own: who takes a new one says here that they are known."""
    known = {
        "stage", "image", "services", "tags", "timeout", "interruptible", "retry", "needs", "dependencies", "variables", "script",
        "artifacts", "resource_group", "when", "inherit", "trigger",
    }  # fmt: skip
    assert {key for job in jobs(file).values() for key in job} <= known


def test_it_stands_alone(file: Path) -> None:
    """Variables are empty in a child's `include`, and no other file of the project is at hand."""
    assert set(document(file)) >= HEAD
    assert not {"include", "extends", "default"} & {key for job in jobs(file).values() for key in job}
    assert "!reference" not in file.read_text()
    assert "&" not in re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", "", file.read_text())


def test_some_job_is_in_a_normal_ci_stage(file: Path) -> None:
    """GitLab starts no pipeline that has jobs in `.pre` and `.post` alone, or none."""
    made = document(file)
    assert jobs(file)
    assert {job["stage"] for job in jobs(file).values()} == set(made["stages"])
    assert not {".pre", ".post"} & set(made["stages"])


def test_each_job_says_its_tags_and_its_timeout(file: Path) -> None:
    """Without tags a job waits for a runner that takes any; without a timeout the project's hour counts."""
    for name, job in jobs(file).items():
        if "trigger" not in job:
            assert job["tags"], name
            assert re.fullmatch(r"(\d+h ?)?(\d+m)?", job["timeout"]), name


def test_retries_are_for_what_may_pass_in_words_that_old_servers_know(file: Path) -> None:
    for name, job in jobs(file).items():
        if "trigger" not in job:
            retry = job["retry"]
            assert retry["max"] == 2, name
            assert retry["when"] == ["runner_system_failure", "stuck_or_timeout_failure", "api_failure"], name
            assert retry.get("exit_codes", [75]) == [75], name


def test_artifacts_hold_no_data_and_the_next_levels_file_is_alone(file: Path) -> None:
    """GitLab reads a child's file only from an archive of at most 5 MB."""
    triggers = [job["trigger"]["include"] for job in jobs(file).values() if "trigger" in job]
    files = {entry["job"]: [entry["artifact"]] for includes in triggers for entry in includes}
    for name, job in jobs(file).items():
        if "artifacts" in job:
            assert job["artifacts"]["paths"] == files.get(name, [".swath/"]), name
            assert "reports" not in job["artifacts"], name


def test_no_artifact_is_fetched(file: Path) -> None:
    """Without the words, a job fetches those of all ci stages before it."""
    for name, job in jobs(file).items():
        assert "trigger" in job or job.get("dependencies") == [] or job.get("needs") == [], name


def test_the_checkout_of_a_runner_keeps_its_dvc_cache(file: Path) -> None:
    """GitLab's own flags are `-ffdx`: any job that checks out would wipe what another has pulled."""
    for name, job in jobs(file).items():
        said = job.get("variables", {})
        if "trigger" not in job and said.get("GIT_STRATEGY") != "none":
            assert said["GIT_CLEAN_FLAGS"] == clean(subfolder(file))["GIT_CLEAN_FLAGS"], name
            assert said["GIT_DEPTH"] == ("0" if name in {"plan", "collect"} else "1"), name


def test_variables_are_texts(file: Path) -> None:
    """GitLab takes no list and no mapping, and expands a `$`."""
    for name, job in {"": document(file), **jobs(file)}.items():
        for variable, value in job.get("variables", {}).items():
            assert isinstance(value, str), f"{name} {variable}"
            assert "$" not in value or "trigger" in job, f"{name} {variable}"


def test_a_newer_push_cancels_no_pipeline_above_a_training(file: Path) -> None:
    """A trigger is no job that GitLab's default would look at: it would cancel level 1 while level 2 trains."""
    triggers = [job for job in jobs(file).values() if "trigger" in job]
    said = {"on_new_commit": "interruptible"} if triggers else None
    assert document(file)["workflow"].get("auto_cancel") == said
    assert not [job for job in triggers if job["interruptible"]]


def test_a_trigger_says_only_what_gitlab_lets_it(file: Path) -> None:
    for job in jobs(file).values():
        if "trigger" in job:
            assert set(job) == {"stage", "interruptible", "inherit", "variables", "trigger"}
            passed = {name: f"${name}" for name in PASSED_ON}
            assert job["variables"] == {**passed, CREATED: "$CI_PIPELINE_CREATED_AT"}  # known before any job runs
            assert job["inherit"] == {"variables": False}
            assert job["trigger"]["strategy"] in {"depend", "mirror"}


def test_only_one_pipeline_of_a_branch_records_at_a_time_and_it_is_not_stopped(file: Path) -> None:
    made = jobs(file)
    if "nothing-to-do" not in made:
        collect = made["collect"]
        assert collect["resource_group"] == "swath-record-$CI_COMMIT_REF_SLUG"
        assert collect["interruptible"] is False
        assert "needs" not in collect  # with them, `when: always` would not wait for the jobs that it does not name
        assert document(file)["stages"][-1] == "collect"


def test_only_long_work_waits_in_a_group_and_no_group_is_held_by_who_waits_for_another(file: Path) -> None:
    """A job holds its `resource_group` while it runs, and needs nothing then: two pipelines cannot wait in a circle."""
    in_groups = [job for job in jobs(file).values() if "resource_group" in job]
    long = {job["resource_group"] for job in in_groups if not job["interruptible"]}
    assert {job["resource_group"] for job in in_groups} == long
    assert not [job for job in in_groups if "trigger" in job]


def test_scripts_are_lines_of_plain_words(file: Path) -> None:
    for name, job in jobs(file).items():
        script = job.get("script", [])
        if "/opt/swath/bin/swath" in str(script):
            enter = ["cd -- ./ml || exit $?"] if subfolder(file) else []
            *before, line = script
            assert before == enter, name
            words = shlex.split(line.removesuffix(" || exit $?"))
            assert words[0] == "/opt/swath/bin/swath", name
        else:
            assert script in ([], ["true"], ["..."]) or "echo" in script[0], name
