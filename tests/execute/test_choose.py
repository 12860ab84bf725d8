from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swath.errors import UserError
from swath.execute.choose import Runtimes, choose_runtime, runtime_choice
from swath.model.service import Image, ProcessEnvironment, Service

if TYPE_CHECKING:
    from pathlib import Path

PATH = {"PATH": "/usr/bin:/bin"}


def service(*, image: bool = False, process: bool = True, program: str = "sh") -> Service:
    return Service(
        name="a", kind="processing", description="", entrypoint=[program],
        image=Image(build=".") if image else None, process=ProcessEnvironment() if process else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("option", "variables", "choice"),
    [
        (None, {}, "auto"),
        ("process", {"SWATH_RUNTIME": "docker"}, "process"),
        (None, {"SWATH_RUNTIME": "inside"}, "inside"),
        (None, {"SWATH_RUNTIME": ""}, "auto"),
    ],
)
def test_the_option_beats_the_variable(option: str | None, variables: dict[str, str], choice: str) -> None:
    assert runtime_choice(option, variables) == choice


@pytest.mark.parametrize(
    ("option", "variables", "message"),
    [
        ("proces", {}, "--runtime: there is no runtime 'proces'\n  did you mean 'process'?"),
        (
            None,
            {"SWATH_RUNTIME": "vm"},
            "SWATH_RUNTIME: there is no runtime 'vm'\n  one of auto, process, docker, inside",
        ),
    ],
)
def test_unknown_runtimes(option: str | None, variables: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        runtime_choice(option, variables)
    assert str(caught.value) == message


def test_a_service_without_image_runs_as_a_process() -> None:
    assert choose_runtime(service(), "auto", PATH).name == "process"


def test_inside_is_only_chosen_by_name() -> None:
    assert choose_runtime(service(process=False), "inside", PATH).name == "inside"


def test_a_chosen_runtime_that_cannot() -> None:
    with pytest.raises(UserError) as caught:
        choose_runtime(service(process=False), "process", PATH)
    assert str(caught.value) == (
        "the runtime 'process' cannot run the service 'a': service.yaml of 'a' has no `process`: it says how to run without Docker"
    )


def test_none_that_can_says_why_each_cannot() -> None:
    with pytest.raises(UserError) as caught:
        choose_runtime(service(process=False), "auto", PATH)
    assert str(caught.value) == (
        "no runtime can run the service 'a':\n"
        "  docker: service.yaml has no `image`\n"
        "  process: service.yaml of 'a' has no `process`: it says how to run without Docker"
    )


def test_an_engine_that_does_not_answer_leaves_the_process_runtime(tmp_path: Path) -> None:
    variables = PATH | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    assert choose_runtime(service(image=True), "auto", variables).name == "process"


def test_why_docker_was_not_taken_is_said_too(tmp_path: Path) -> None:
    variables = PATH | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    with pytest.raises(
        UserError, match=r"docker: no Docker engine runs at unix:///.*\n  process: service.yaml of 'a' has no"
    ):
        choose_runtime(service(image=True, process=False), "auto", variables)


@pytest.mark.docker
def test_docker_is_taken_where_an_engine_answers(docker_engine: str) -> None:
    assert choose_runtime(service(image=True), "auto", PATH | {"DOCKER_HOST": docker_engine}).name == "docker"


def test_a_runtime_is_made_once(tmp_path: Path) -> None:
    runtimes = Runtimes(PATH)
    assert runtimes.choose(service(), "auto") is runtimes.choose(service(program="cat"), "process")


@pytest.mark.docker
def test_one_docker_runtime_serves_all(docker_engine: str) -> None:
    runtimes = Runtimes(PATH | {"DOCKER_HOST": docker_engine})
    assert runtimes.named("docker") is runtimes.choose(service(image=True), "docker")
    assert runtimes.choose(service(image=True, process=False), "auto") is runtimes.named("docker")
