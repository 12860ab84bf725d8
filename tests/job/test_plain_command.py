"""`job/plain_command.py`: commands that are no plain `swath exec`, in a job."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from support.job_bench import JobBench
from support.job_services import three_services
from support.plain_repository import make_repository
from swath.dvc_border.workspace import Workspace
from swath.execute.attempts import ShellCall
from swath.job.plain_command import PlainCommands
from swath.model.stage import Stage

JOB = {
    "PATH": "/usr/bin:/bin",
    "SHELL": "/bin/sh",
    "HOME": "/home/me",
    "LANG": "C.UTF-8",
    "SWATH_RUNTIME": "inside",
    "SWATH_VOLUME_ARCHIVE": "/archive",
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_API_KEY": "secret",
    "XDG_TOKEN": "secret",
    "SWATH_VOLUME_TOKEN": "secret",
    "SWATH_TOKEN": "secret",
    "SWATH_DVC_CONFIG": "/builds/config",
    "CI_JOB_TOKEN": "secret",
    "CI_REGISTRY_PASSWORD": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def call(command: str, timeout_s: float | None = None) -> ShellCall:
    stage = Stage(name="a", file="dvc.yaml", key="a", group="a", cmd=command, wdir=".")
    return ShellCall(stage, command, ("0", "2"), timeout_s)


@pytest.fixture
def disk(tmp_path: Path) -> Workspace:
    return Workspace(make_repository(tmp_path, {}), {})


def test_it_sees_no_credentials_of_the_job(disk: Workspace) -> None:
    assert PlainCommands(disk, JOB).environment(call("env")) == {
        "PATH": "/usr/bin:/bin:/opt/swath/bin",
        "SHELL": "/bin/sh",
        "HOME": "/home/me",
        "LANG": "C.UTF-8",
        "SWATH_RUNTIME": "inside",
        "SWATH_VOLUME_ARCHIVE": "/archive",
        "NVIDIA_VISIBLE_DEVICES": "all",
        "DVC_ROOT": str(disk.repository.root),
        "DVC_STAGE": "a",
        "CUDA_VISIBLE_DEVICES": "0,2",
    }


@pytest.mark.parametrize(("command", "code"), [("echo said; exit 0", 0), ("echo said; exit 9", 9)])
def test_its_words_and_its_end(disk: Workspace, command: str, code: int) -> None:
    log = io.BytesIO()
    outcome = PlainCommands(disk, JOB).start(call(command), log, threading.Event())
    assert (outcome.exit_code, log.getvalue()) == (code, b"said\n")


def test_it_is_ended_when_its_time_is_over(disk: Workspace) -> None:
    outcome = PlainCommands(disk, JOB).start(call("sleep 60", 0.2), io.BytesIO(), threading.Event())
    assert outcome.exit_code != 0
    assert outcome.reason == "it took longer than its timeout of 0.2s"


def test_a_service_amid_other_commands_starts_in_the_jobs_own_container(tmp_path: Path) -> None:
    """Its service decides on the job's image, so `swath exec` finds its program there: nothing starts an engine."""
    files = three_services(tmp_path)
    cmd = f'echo "$SWATH_RUNTIME" > {tmp_path}/runtime && swath exec cut --input data/in --out tiles'
    files["dvc.yaml"] = {"stages": {"cut": {**files["dvc.yaml"]["stages"]["cut"], "cmd": cmd}}}
    pipeline = JobBench(tmp_path, files).pipeline(SWATH_RUNTIME="")
    assert [job.image.split(":")[0] for job in pipeline.plan.jobs if job.stages] == ["$CI_REGISTRY_IMAGE/cut"]
    pipeline.run_all()
    assert (tmp_path / "runtime").read_text() == "inside\n"
    assert pipeline.fragment("cut").stages["cut"].exit == 0
