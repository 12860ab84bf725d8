"""The config.toml of runners: golden files for each executor, and that it is TOML whatever swath.yaml holds.

`SWATH_WRITE_GOLDEN=1 pytest tests/emit/test_runner_config.py` writes the golden files anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.emit.job import kubernetes
from swath.emit.runner_config import EXECUTORS, Executor, RunnerOptions, runner_config, token_variables
from swath.errors import UserError
from swath.model.invocation import Volume
from swath.model.runner import Runner
from swath.model.service import Resources
from swath.model.settings import Settings
from swath.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Mapping

GOLDEN = Path(__file__).parent / "runner_config"
GIB = 2**30
DOCKER = Runner(tags=["docker"])
GPU = Runner(
    tags=["gpu", "big disk"], cpus=16, memory=Size(64 * GIB), disk=Size(500 * GIB), gpus=1, concurrency=1,
    cache="/srv/dvc-cache", price_per_hour=1,
)  # fmt: skip
SETTINGS = Settings(runners=[DOCKER, GPU])
DEMANDS = [
    Resources(cpus=1, shm=Size(GIB)),
    Resources(gpus=1, shm=Size(8 * GIB)),
    Resources(gpus=9, shm=Size(99 * GIB)),
]
VOLUMES = {
    "archive": Volume("archive", "/mnt/archive"),
    "spool": Volume("spool", "/mnt/spool", read_only=False),
    "hub": Volume("hub", "https://hub.example.com/x"),
    "unsaid": Volume("unsaid", ""),
}


def options(
    executor: Executor = "docker", tags: tuple[str, ...] = (), volumes: Mapping[str, Volume] | None = None
) -> RunnerOptions:
    """Options with a server, whose own jobs run on the first class."""
    return RunnerOptions(executor, "https://gitlab.example.com", tags, volumes or {}, DOCKER)


def parsed(settings: Settings = SETTINGS, given_options: RunnerOptions | None = None) -> list[dict[str, Any]]:
    """The [[runners]] of a configuration."""
    runners: list[dict[str, Any]] = tomllib.loads(runner_config(settings, DEMANDS, given_options or options()))[
        "runners"
    ]
    return runners


@pytest.mark.parametrize("executor", EXECUTORS)
def test_golden(executor: Executor) -> None:
    text = runner_config(SETTINGS, DEMANDS, options(executor, volumes=VOLUMES))
    path = GOLDEN / f"{executor}.toml"
    if os.environ.get("SWATH_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
    assert text == runner_config(SETTINGS, list(DEMANDS), options(executor, volumes=VOLUMES))


def test_shared_memory_is_the_most_of_what_may_run_there() -> None:
    assert [runner["docker"]["shm_size"] for runner in parsed()] == [GIB, 8 * GIB]


def test_gpus_cache_and_volumes() -> None:
    docker, gpu = (runner["docker"] for runner in parsed(given_options=options(volumes=VOLUMES)))
    assert "gpus" not in docker
    assert gpu["gpus"] == "all"
    shared = ["/mnt/archive:/mnt/archive:ro", "/mnt/spool:/mnt/spool"]
    assert docker["volumes"] == ["/cache", *shared]
    assert gpu["volumes"] == ["/cache", "/srv/dvc-cache:/srv/dvc-cache", *shared]


def test_jobs_find_their_volumes() -> None:
    for runner in parsed(given_options=options(volumes=VOLUMES)):
        assert runner["environment"] == [
            "SWATH_VOLUME_ARCHIVE=/mnt/archive",
            "SWATH_VOLUME_SPOOL=/mnt/spool",
            "SWATH_VOLUME_HUB=https://hub.example.com/x",
        ]


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        ("buildkit", (False, ["seccomp=unconfined", "apparmor=unconfined"], ["/cache"])),
        ("buildah", (False, ["seccomp=unconfined", "apparmor=unconfined"], ["/cache"])),
        ("docker", (False, None, ["/cache", "/var/run/docker.sock:/var/run/docker.sock"])),
        ("dind", (True, None, ["/cache", "/certs/client"])),
    ],
)
def test_only_the_class_that_builds_gets_what_the_builder_needs(builder: Any, expected: tuple[Any, ...]) -> None:
    builds, other = (r["docker"] for r in parsed(msgspec.structs.replace(SETTINGS, builder=builder)))
    assert (builds["privileged"], builds.get("security_opt"), builds["volumes"]) == expected
    assert (other["privileged"], other.get("security_opt")) == (False, None)
    assert not any("docker.sock" in volume for volume in other["volumes"])


def test_containers_through_the_engine_need_its_socket() -> None:
    for runner in parsed(msgspec.structs.replace(SETTINGS, execution="docker")):
        assert "/var/run/docker.sock:/var/run/docker.sock" in runner["docker"]["volumes"]


def test_kubernetes_allows_every_variable_that_compile_writes() -> None:
    """GitLab's runner ignores a KUBERNETES_* variable without a word when its overwrite_max_allowed is missing."""
    variables = kubernetes(Resources(cpus=1, memory=Size(GIB), disk=Size(GIB)))
    for runner in parsed(given_options=options("kubernetes")):
        for variable in variables:
            key = f"{variable.removeprefix('KUBERNETES_').lower()}_overwrite_max_allowed"
            assert key in runner["kubernetes"]


def quantity(text: str) -> float:
    """A quantity of Kubernetes."""
    number, unit = re.fullmatch(r"(\d+)(m|Mi)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"m": 0.001, "Mi": 2**20}[unit]


@given(st.integers(2**20, 2**40), st.integers(2**20, 2**40), st.floats(0.01, 200))
def test_no_job_asks_a_cluster_for_more_than_its_class_allows(memory: int, disk: int, cpus: float) -> None:
    """The runner fails a job that does, it does not cap it; a class is chosen that covers the stage's demand."""
    runner = Runner(tags=["docker"], cpus=cpus, memory=Size(memory), disk=Size(disk))
    settings = Settings(runners=[runner])
    text = runner_config(settings, [], RunnerOptions("kubernetes", "https://gitlab.example.com", (), {}, runner))
    (allowed,) = (each["kubernetes"] for each in tomllib.loads(text)["runners"])
    for share in (1, 2):
        demand = Resources(cpus=cpus / share, memory=Size(memory // share), disk=Size(disk // share))
        for name, asked in kubernetes(demand).items():
            most = allowed[f"{name.removeprefix('KUBERNETES_').lower()}_overwrite_max_allowed"]
            assert quantity(str(asked)) <= quantity(most)


def test_no_token_and_a_name_for_each() -> None:
    assert [runner["token"] for runner in parsed()] == [
        "${SWATH_RUNNER_TOKEN_DOCKER}",
        "${SWATH_RUNNER_TOKEN_GPU_BIG_DISK}",
    ]
    equal = [Runner(tags=tags) for tags in (["a-b"], ["A", "b"], ["ü"], [], ["a_b_2"])]
    assert token_variables(equal) == [
        f"SWATH_RUNNER_TOKEN_{end}" for end in ("A_B", "A_B_2", "ALL", "ALL_2", "A_B_2_2")
    ]  # fmt: skip


def test_one_class() -> None:
    text = runner_config(SETTINGS, DEMANDS, options(tags=("gpu",)))
    assert [runner["name"] for runner in tomllib.loads(text)["runners"]] == ["swath gpu big disk"]
    assert "SWATH_RUNNER_TOKEN_DOCKER" not in text
    with pytest.raises(UserError) as raised:
        runner_config(SETTINGS, DEMANDS, options(tags=("tpu",)))
    assert str(raised.value) == "no class of runners has the tags tpu\n  swath.yaml has: docker; gpu, big disk"


def test_a_path_that_docker_cannot_mount() -> None:
    with pytest.raises(UserError) as raised:
        runner_config(SETTINGS, DEMANDS, options(volumes={"odd": Volume("odd", "/mnt/a:/etc")}))
    assert str(raised.value) == "'/mnt/a:/etc' cannot be mounted into jobs\n  no colons, no control characters"


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4), st.sampled_from(EXECUTORS))
def test_toml_whatever_the_tags_hold(tags: list[str], executor: Executor) -> None:
    runner = Runner(tags=tags, gpus=1)
    (found,) = tomllib.loads(runner_config(Settings(runners=[runner]), [], options(executor)))["runners"]
    assert found["name"] == f"swath {' '.join(tags)}".strip()
    assert re.fullmatch(r"\$\{[A-Z0-9_]+\}", found["token"])
    assert set(found) <= {
        "name", "url", "token", "executor", "limit", "request_concurrency", "output_limit", "feature_flags",
        "docker", "kubernetes", "autoscaler",
    }  # fmt: skip


@pytest.mark.skipif(not shutil.which("envsubst"), reason="SKIPPED LOUDLY: no envsubst (gettext-base) on this machine")
def test_the_command_of_the_comment_fills_in_the_tokens_and_nothing_else(tmp_path: Path) -> None:
    odd = {"odd": Volume("odd", "/mnt/$HOME/${PATH}")}
    text = runner_config(SETTINGS, DEMANDS, options(volumes=odd))
    (command,) = re.findall(r"^#   (envsubst .*) < swath-runners.toml >", text, re.MULTILINE)
    tokens = {"SWATH_RUNNER_TOKEN_DOCKER": "glrt-one", "SWATH_RUNNER_TOKEN_GPU_BIG_DISK": "glrt-two"}
    done = subprocess.run(
        ["sh", "-c", command], input=text, env=os.environ | tokens, capture_output=True, text=True, check=True
    )
    assert [runner["token"] for runner in tomllib.loads(done.stdout)["runners"]] == ["glrt-one", "glrt-two"]
    assert done.stdout.count("glrt-") == text.count("glrt-") + 2
    assert done.stdout.count("/mnt/$HOME/${PATH}") == text.count("/mnt/$HOME/${PATH}") > 0
