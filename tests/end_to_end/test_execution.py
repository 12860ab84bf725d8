"""Jobs that use the engine's socket or build without an engine, on runners as `swath runner config` writes them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.docker_engine import BUSYBOX_IMAGE
from support.gitlab_house import HouseRunner
from support.gitlab_project import SOCKET, GitLabProject
from support.small_project import STAGES
from support.until import until
from swath.execute.container import repository_label

if TYPE_CHECKING:
    from support.job_container import Attempt, Task

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]


SQUARE = {
    "cmd": "swath exec square --input numbers.txt --out squares.txt",
    "deps": ["services/square", "numbers.txt"],
    "outs": ["squares.txt"],
}


def test_services_run_in_containers_beside_the_job(small: GitLabProject, tmp_path: Path) -> None:
    settings = small.bench.read("swath.yaml").replace("memory: 2GiB", "memory: 2GiB\n  concurrency: 1")
    small.push("Containers", {
        "swath.yaml": f"{settings}execution: docker\n",
        "params.yaml": small.bench.read("params.yaml").replace("pause: 0", "pause: 1"),
        "services/draw/draw.py": f"{small.bench.read('services/draw/draw.py')}# {secrets.token_hex(8)}: no engine has it\n",
    })  # fmt: skip
    runner = as_configured(small)
    runner.user = f"1234:{os.stat(SOCKET).st_gid}"
    small.house.runners = (runner,)
    seen: list[dict[str, Any]] = []

    def watch(task: Task, attempt: Attempt) -> None:
        if not task.name.startswith("draw") or attempt.number > 2:
            return
        until(lambda: {each["Id"] for each in containers_of(small)} - {each["Id"] for each in seen})
        if attempt.number == 1:
            seen.extend(containers_of(small))
            attempt.kill("runner_system_failure")
        else:
            attempt.reason = "runner_system_failure"  # so that it is tried once more
            terminate(attempt, "-m swath job run")
        until(lambda: not containers_of(small))

    small.house.watch = watch
    first = small.pipeline()
    assert first.status == "success", first.story()
    assert small.ran(first) == sorted(STAGES)
    (draw,) = (job for job in first.all_jobs() if job.name.startswith("draw"))
    assert [attempt.exit_code for attempt in draw.attempts] == [137, 130, 0]
    assert draw.attempts[1].log.endswith(
        "the job was stopped; what it has finished is kept, a retry goes on from here\n"
    )
    (container,) = seen
    assert sorted(variable.partition("=")[0] for variable in container["Config"]["Env"]) == [
        "CUDA_VISIBLE_DEVICES", "DVC_ROOT", "DVC_STAGE", "HOME", "LANG", "NVIDIA_VISIBLE_DEVICES", "PATH", "PIP_CERT",
        "SSL_CERT_FILE", "SWATH_SCRATCH", "SWATH_SERVICE_DIR",
    ]  # fmt: skip
    assert sorted(mount["Destination"] for mount in container["Mounts"]) == [
        "/etc/group", "/etc/passwd", "/run", "/swath/home", "/swath/repository", "/swath/repository/services/draw",
        "/swath/scratch", "/tmp", "/var/tmp",
    ]  # fmt: skip
    made = draw.attempts[-1].checkout / "data/drawn/c.txt"
    assert made.stat().st_uid == 1234

    local = small.clone(tmp_path / "local")
    local.command("git", "checkout", "-q", "HEAD~1")
    registry = f"{small.house.registry}/{small.house.images}"
    local.swath("run", check=True, SWATH_RUNTIME="docker", CI_REGISTRY_IMAGE=registry)
    assert local.read("dvc.lock") == small.show("dvc.lock")

    small.house.watch = None
    small.house.runners = (as_configured(small),)  # whose containers are root's
    small.pull()
    small.push("Rate", {"params.yaml": small.bench.read("params.yaml").replace("0.5", "0.25")})
    rate = small.pipeline()
    assert (rate.status, small.ran(rate)) == ("success", ["fit", "judge"]), rate.story()

    small.pull()
    small.push("Wrong", {"params.yaml": small.bench.read("params.yaml").replace("pause: 1", "pause: -1")})
    wrong = small.pipeline()
    (failed,) = (job for job in wrong.all_jobs() if job.name.startswith("draw"))
    assert [attempt.exit_code for attempt in failed.attempts] == [4]
    assert "sleep length must be non-negative" in failed.log
    assert "draw@a failed: it ended with exit code 1" in failed.log
    assert containers_of(small) == []


@pytest.mark.skipif(
    "SWATH_TEST_BUILDAH" not in os.environ,
    reason="takes minutes with buildah's slowest storage: SWATH_TEST_BUILDAH=1 runs it",
)
def test_images_are_built_without_an_engine(alone: GitLabProject) -> None:
    base = f"{alone.house.registry}/base/busybox:1"  # buildah asks no engine
    subprocess.run(["docker", "tag", BUSYBOX_IMAGE, base], check=True)
    subprocess.run(["docker", "push", "--quiet", base], check=True, capture_output=True)
    subprocess.run(["docker", "rmi", base], check=True, capture_output=True)
    dockerfile = alone.bench.read("services/square/Dockerfile").replace(BUSYBOX_IMAGE, base)
    settings = alone.bench.read("swath.yaml").replace("builder: docker", "builder: buildah")
    alone.push("One stage", {
        "swath.yaml": settings,
        "services/square/Dockerfile": dockerfile,
        "numbers.txt": "3\n4\n",
        "dvc.yaml": {"stages": {"square": SQUARE}},
    })  # fmt: skip
    runner = as_configured(alone)
    assert runner.volumes == ()
    alone.house.runners = (runner,)
    alone.house.variables["SWATH_BUILDER_IMAGE"] = "swath-test/buildah:1"
    run = alone.pipeline()
    assert (run.status, alone.ran(run)) == ("success", ["square"]), run.story()
    assert {name: len(tags) for name, tags in alone.images().items() if name == "square"} == {"square": 1}
    alone.pull()
    alone.bench.command("dvc", "pull", "-q")
    assert alone.bench.read("squares.txt") == "9\n16\n"


def as_configured(project: GitLabProject) -> HouseRunner:
    """The runner that `swath runner config` writes for a project's only class."""
    written = project.bench.swath("runner", "config", "--url", project.house.git.url, check=True).stdout
    (runner,) = tomllib.loads(written)["runners"]
    volumes = tuple(volume for volume in runner["docker"]["volumes"] if ":" in volume)
    security = tuple(f"--security-opt={option}" for option in runner["docker"].get("security_opt", ()))
    return HouseRunner(("docker",), volumes, options=security)


def containers_of(project: GitLabProject) -> list[dict[str, Any]]:
    """What the engine knows of the running containers that a project's jobs have started."""
    label = repository_label(Path("/builds", project.house.project))
    listed = ["docker", "ps", "--quiet", f"--filter=label=swath.repository={label}"]
    found = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    known = subprocess.run(["docker", "inspect", *found], capture_output=True, text=True, check=False).stdout
    return list(json.loads(known)) if found else []


def terminate(attempt: Attempt, command: str) -> None:
    """Send SIGTERM to the processes of a job whose command line holds these words, as GitLab's runner does to all."""
    listed = ["docker", "top", attempt.container, "-eo", "pid,args"]
    for line in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines():
        if command in line:
            os.kill(int(line.split()[0]), signal.SIGTERM)
