"""Images from a real registry, and the SDK's exceptions."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from docker import errors

from support.docker_engine import BUSYBOX_IMAGE
from swath.errors import PassingFaultError, UserError
from swath.execute.engine import FOREIGN, _gitlab_login, translated
from swath.model.service import Image

if TYPE_CHECKING:
    from support.service_bench import Bench


@pytest.mark.docker
def test_a_registry_that_does_not_answer_is_a_passing_fault(bench: Bench) -> None:
    service = bench.service(image=Image(reference=f"127.0.0.1:9/none@sha256:{'0' * 64}"))
    with pytest.raises(PassingFaultError, match="could not be pulled"):
        bench.run(bench.invocation(service))


@pytest.mark.docker
def test_images_of_a_registry(bench: Bench, registry: str) -> None:
    name = f"{registry}/base:1"
    subprocess.run(["docker", "tag", BUSYBOX_IMAGE, name], check=True)
    pushed = subprocess.run(["docker", "push", name], check=True, capture_output=True, text=True).stdout
    digest = next(word for word in pushed.split() if word.startswith("sha256:"))
    subprocess.run(["docker", "rmi", name], check=True, capture_output=True)
    bench.write_program('cp "$2" "$4"')
    outcome, _ = bench.run(bench.invocation(bench.service(image=Image(reference=f"{name}@{digest}"))))
    assert outcome.exit_code == 0
    with pytest.raises(UserError, match="could not be pulled"):
        bench.run(bench.invocation(bench.service(image=Image(reference=f"{registry}/unknown@{digest}"))))


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (errors.DockerException("Error while fetching server API version"), PassingFaultError, "does not answer"),
        (requests.ConnectionError("Connection aborted"), PassingFaultError, "does not answer"),
        (requests.ReadTimeout("read timed out"), PassingFaultError, "does not answer"),
        (urllib3.exceptions.ProtocolError("broken"), PassingFaultError, "does not answer"),
        (ConnectionResetError("reset"), PassingFaultError, "does not answer"),
        (errors.DockerException("PermissionError(13, 'Permission denied')"), UserError, "group docker"),
        (errors.APIError("no space left on device"), PassingFaultError, "no space left"),
        (errors.APIError("could not select device driver"), UserError, "NVIDIA Container Toolkit"),
        (errors.APIError("invalid mount config: bind source path does not exist: /x"), UserError, "does not see this"),
        (errors.ImageNotFound("no such image"), UserError, "no such image"),
    ],
)
def test_exceptions_are_translated(raised: Exception, expected: type[Exception], message: str) -> None:
    with pytest.raises(expected, match=message), translated("unix:///x"):
        raise raised


def test_every_exception_of_the_sdk_is_translated() -> None:
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert all(issubclass(item, FOREIGN) for item in classes)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("r.example.com:5050/a/b:c", {"username": "u", "password": "p"}),
        ("r.example.com:50/a/b:c", None),
        ("debian:12", None),
    ],
)
def test_a_job_shows_its_token_to_its_own_registry_only(reference: str, expected: dict[str, str] | None) -> None:
    variables = {"CI_REGISTRY": "r.example.com:5050", "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p"}
    assert _gitlab_login(reference, variables) == expected
    assert _gitlab_login(reference, {}) is None
