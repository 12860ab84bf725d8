"""`emit/job.py`, `emit/own_jobs.py`: keywords by the server's version and the job."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.job_graphs import CPU, OWN
from swath.emit.job import clean, duration, kubernetes, retry, stage_job
from swath.emit.own_jobs import Own, strategy, trigger_job
from swath.emit.script import swath_command
from swath.model.jobs import Job, PipelinePlan
from swath.model.service import Resources
from swath.model.units import Size

JOB = Job("tile 1/2", ("tile@a",), "image", CPU, Resources(), (), 3660, True, "abc", 0, ("image",))  # noqa: FBT003
PLAN = PipelinePlan("c" * 40, 1, (JOB,))


@pytest.mark.parametrize(("version", "has"), [((16, 10), False), ((16, 11), True), ((17, 0), True), ((18, 0), True)])
def test_exit_codes_since_16_11(version: tuple[int, int], *, has: bool) -> None:
    assert ("exit_codes" in retry(version)) == has
    assert retry(version)["when"] == ["runner_system_failure", "stuck_or_timeout_failure", "api_failure"]


def test_finer_words_since_19_1() -> None:
    assert retry((19, 0))["when"] == ["runner_system_failure", "stuck_or_timeout_failure", "api_failure"]
    words = retry((19, 1))["when"]
    assert isinstance(words, list)
    assert {"runner_interrupted", "runner_external_dependency_failure", "stuck_pending_with_matching_runners"} < {
        *words
    }
    assert "stuck_or_timeout_failure" not in words


@pytest.mark.parametrize(("version", "name"), [((18, 1), "depend"), ((18, 2), "mirror"), ((19, 0), "mirror")])
def test_mirror_since_18_2(version: tuple[int, int], name: str) -> None:
    assert strategy(version) == name
    trigger = trigger_job(Own(OWN, CPU, version), "child-2.yml")["trigger"]
    assert isinstance(trigger, dict)
    assert trigger["strategy"] == name


@pytest.mark.parametrize(("seconds", "text"), [(600, "10m"), (3600, "1h"), (3660, "1h 1m"), (2_591_940, "719h 59m")])
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_kubernetes_rounds_up() -> None:
    demand = Resources(cpus=0.5, memory=Size(2**20 + 1), disk=Size(2**30))
    assert kubernetes(demand) == {
        "KUBERNETES_CPU_REQUEST": "500m",
        "KUBERNETES_CPU_LIMIT": "500m",
        "KUBERNETES_MEMORY_REQUEST": "2Mi",
        "KUBERNETES_MEMORY_LIMIT": "2Mi",
        "KUBERNETES_EPHEMERAL_STORAGE_REQUEST": "1024Mi",
        "KUBERNETES_EPHEMERAL_STORAGE_LIMIT": "1024Mi",
    }
    assert kubernetes(Resources()) == {}


def test_needs_are_always_said() -> None:
    assert stage_job(JOB, "s", (), PLAN, (17, 0))["needs"] == []
    made = stage_job(replace(JOB, needs=("a",)), "s", ("build:x",), PLAN, (17, 0))
    assert made["needs"] == ["build:x", "a"]
    assert made["dependencies"] == []


def test_the_resource_group_is_the_queue() -> None:
    made = stage_job(replace(JOB, queue="swath-gpu-1"), "s", (), PLAN, (17, 0))
    assert made["resource_group"] == "swath-gpu-1"
    assert "resource_group" not in stage_job(JOB, "s", (), PLAN, (17, 0))


def test_artifacts_hold_no_data() -> None:
    artifacts = stage_job(JOB, "s", (), PLAN, (17, 0))["artifacts"]
    assert artifacts == {"paths": [".swath/"], "when": "always", "expire_in": "1 week"}


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_word_is_one_word_of_a_real_shell(word: str) -> None:
    line = swath_command("job", "run", word).replace("/opt/swath/bin/swath", "printf '%s\\0'")
    said = subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout
    assert said.split(b"\0")[:-1] == [b"job", b"run", word.encode()]


@pytest.mark.parametrize(
    ("subfolder", "folders"), [("", ["."]), ("ml-a", ["ml-a", "ml-b"]), ("x/[*] $y", ["x/[*] $y"])]
)
def test_gitlabs_cleaning_keeps_the_dvc_cache_and_nothing_else(
    subfolder: str, folders: list[str], tmp_path: Path
) -> None:
    """What the runner does in a checkout that it kept: `git clean` with the flags, as words."""
    made = (".dvc/cache/files/md5/ab/cd", ".dvc/tmp/x", "models/m", ".swath/logs/x", "data/deep/.git/HEAD")
    for name in [f"{folder}/{name}" for folder in folders for name in made]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    for folder in folders:
        (tmp_path / folder / ".dvc/.gitignore").write_text("/cache\n/tmp\n")
        (tmp_path / folder / ".gitignore").write_text("/models\n")
    for words in (["init", "-q"], ["add", "*.gitignore"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    subprocess.run(["git", "clean", "-q", *clean(subfolder)["GIT_CLEAN_FLAGS"].split()], cwd=tmp_path, check=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    kept = (".dvc/.gitignore", ".dvc/cache/files/md5/ab/cd", ".gitignore")
    assert {name for name in left if not name.startswith(".git/")} == {
        str(Path(folder) / name) for folder in folders for name in kept
    }
