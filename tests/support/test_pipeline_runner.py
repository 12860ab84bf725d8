"""The pipeline runner of the end-to-end tests does what GitLab's documentation says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.docker_engine import BUSYBOX_IMAGE, PYTHON_IMAGE
from support.git_server import serve_git
from support.gitlab_house import House, HouseRunner
from support.gitlab_variables import MergeRequest
from support.repositories import make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.job_container import Attempt, Task

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    bench = make_repository(tmp_path / "work", {"a b": "x\n"})
    with serve_git(tmp_path / "git") as server:
        bare = server.add_project("group/project")
        bench.command("git", "push", "-q", str(bare), "main")
        yield House(
            tmp_path / "house", server, "group/project", "127.0.0.1:1", "images", (HouseRunner(("docker", "disk")),)
        )


def job(script: str, **keywords: Any) -> dict[str, Any]:
    return {"image": BUSYBOX_IMAGE, "script": [script], **keywords}


def test_a_job_sees_a_fresh_shallow_checkout_and_gitlabs_variables(house: House) -> None:
    house.variables["SECRET"] = "a$b"
    house.files["CONFIG"] = "text of the file"
    script = (
        'test "$PWD" = /builds/group/project && cat "a b" && cat "$CONFIG" && echo "$SECRET $TWICE $CI_COMMIT_BRANCH"; '
        'touch new; test -z "$CI_MERGE_REQUEST_IID"; read -r line || echo nothing to read; cat /missing; echo not here'
    )
    run = house.pipeline(document={"one": job(script, variables={"TWICE": "<$CI_JOB_NAME>"})})
    assert run.status == "failed"
    assert run.job("one").log.splitlines() == [
        "x",
        "text of the filea$b <one> main",
        "nothing to read",
        "cat: can't open '/missing': No such file or directory",
    ]


def test_retry_asks_for_reasons_and_exit_codes(house: House) -> None:
    count = "echo $CI_JOB_ID >>/shared/$CI_JOB_NAME; exit {}"
    retry = {"max": 2, "when": ["runner_system_failure"], "exit_codes": [75]}
    (house.folder / "shared").mkdir(parents=True)
    house.runners = (HouseRunner((), (f"{house.folder / 'shared'}:/shared",)),)

    def watch(task: Task, attempt: Attempt) -> None:
        if task.name == "lost" and attempt.number == 1:
            while not (house.folder / "shared" / "lost").exists():
                pass
            attempt.kill("runner_system_failure")

    house.watch = watch
    run = house.pipeline(
        document={
            "passing": job(count.format(75), retry=retry),
            "broken": job(count.format(1), retry=retry),
            "lost": job("echo x >>/shared/lost; test $(wc -l </shared/lost) = 2 || sleep 60", retry=retry),
            "behind": job("true", needs=["broken"]),
            "in any case": job("true", needs=["broken", "lost"], when="always"),
            "after failure": job("true", stage="deploy", when="on_failure"),
        }
    )
    assert {one.name: (one.status, len(one.attempts)) for one in run.all_jobs()} == {
        "passing": ("failed", 3),
        "broken": ("failed", 1),
        "lost": ("success", 2),
        "behind": ("skipped", 0),
        "in any case": ("success", 1),
        "after failure": ("success", 1),
    }


def test_a_job_that_was_skipped_stops_those_that_need_it_but_no_ci_stage(house: House) -> None:
    run = house.pipeline(
        document={
            "stages": ["one", "two", "three"],
            "work": job("true", stage="one"),
            "mend": job("true", stage="two", when="on_failure"),
            "next": job("true", stage="three"),
            "needs it": job("true", stage="three", needs=["mend"]),
            "mends too": job("true", stage="three", when="on_failure"),
        }
    )
    assert {name: job.status for name, job in run.jobs.items()} == {
        "work": "success",
        "mend": "skipped",
        "next": "success",
        "needs it": "skipped",
        "mends too": "skipped",
    }


def test_a_child_pipeline_gets_its_yaml_from_an_artifact_and_mirrors(house: House) -> None:
    child = {
        "workflow": {"rules": [{"if": '$CI_PIPELINE_SOURCE == "parent_pipeline"'}]},
        "stages": ["s"],
        "make": job("mkdir out; echo $PARENT >out/made", stage="s", artifacts={"paths": ["out"]}),
        "take": job("cat out/made; test $(cat out/made) = $SWATH_PIPELINE", stage="s", needs=["make"]),
        "alone": job("test ! -e out; exit 3", stage="s", needs=[]),
        "slow": job("sleep 60", stage="s", needs=[], timeout="1 seconds"),
    }
    house.variables["YAML"] = yaml.safe_dump(child)
    run = house.pipeline(
        merge_request=MergeRequest(3, "main"),
        document={
            "stages": ["plan", "run"],
            "plan": job('printf %s "$YAML" >child.yml', stage="plan", artifacts={"paths": ["child.yml"]}),
            "run": {
                "stage": "run",
                "trigger": {"include": [{"artifact": "child.yml", "job": "plan"}], "strategy": "mirror"},
                "variables": {"SWATH_PIPELINE": "$CI_PIPELINE_ID", "PARENT": "$CI_PIPELINE_ID"},
            },
            "after": job("true", stage=".post"),
        },
    )
    assert run.status == "failed", run.story()
    assert (run.names(), run.names("failed"), run.names("skipped")) == (
        ["make", "plan", "take"],
        ["alone", "run", "slow"],
        ["after"],
    )
    assert run.job("slow").attempts[0].reason == "job_execution_timeout"
    assert run.job("take").log == f"{run.id}\n"


def test_an_image_has_its_best_shell_and_an_ordinary_user_may_write(house: House) -> None:
    house.runners = (HouseRunner((), user="1234:1234"),)
    run = house.pipeline(
        document={"one": {"image": PYTHON_IMAGE, "script": ["echo ${BASH_VERSION%%.*}; id -u; touch here; cat 'a b'"]}}
    )
    assert (run.status, run.job("one").log) == ("success", "5\n1234\nx\n")
