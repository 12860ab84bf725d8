"""What `auto` does when a real engine cannot fetch an image."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import add_service, invocation, make_repository
from swath.errors import PassingFaultError, UserError
from swath.execute.choose import Runtimes

if TYPE_CHECKING:
    from pathlib import Path

    from swath.execute.runtime import Runtime

pytestmark = pytest.mark.docker

TEXT = (
    "name: a\nkind: processing\ndescription: d\nentrypoint: [sh, run.sh]\nprocess: {}\nimage: IMAGE\n"
    "parameters: [{name: out, type: file, direction: output}]\n"
)
NOWHERE = "127.0.0.1:9/nothing"  # nobody listens there


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_repository(tmp_path)
    add_service(
        tmp_path, "a", TEXT.replace("IMAGE", "{build: .}"), {"run.sh": "echo ran", "Dockerfile": f"FROM {NOWHERE}\n"}
    )
    return tmp_path


def chosen(root: Path, choice: str = "auto") -> Runtime:
    runtimes = Runtimes(os.environ)
    return runtimes.choose(invocation(root, "a").service, choice)  # type: ignore[arg-type] # a test's free choice


def run(runtime: Runtime, root: Path) -> str:
    log = io.BytesIO()
    assert runtime.run(invocation(root, "a"), log, threading.Event()).exit_code == 0
    return log.getvalue().decode()


def test_a_base_image_that_is_not_to_be_had(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    runtime = chosen(root)
    assert run(runtime, root).endswith("ran\n")
    assert run(runtime, root) == "ran\n"
    said = capfd.readouterr().err
    assert said.startswith("swath: the service a runs as a process, because its image is not to be had: ")
    assert said.count("runs as a process") == 1
    assert "connection refused" in said
    assert said.endswith("  to insist on containers: --runtime docker; for another base image: SWATH_BUILD_ARG_BASE\n")


def test_a_public_image_that_is_not_to_be_had(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = root / "services/a/service.yaml"
    file.write_text(TEXT.replace("IMAGE", f"{{reference: '{NOWHERE}@sha256:{'0' * 64}'}}"))
    assert run(chosen(root), root) == "ran\n"
    assert "could not be pulled" in capfd.readouterr().err


def test_who_asks_for_docker_gets_no_other(root: Path) -> None:
    with pytest.raises(PassingFaultError, match="connection refused"):
        run(chosen(root, "docker"), root)


def test_a_dockerfile_that_is_wrong_is_told(root: Path) -> None:
    (root / "services/a/Dockerfile").write_text("FROM scratch\nNONSENSE\n")
    with pytest.raises(UserError, match="the image of the service a could not be built"):
        run(chosen(root), root)
