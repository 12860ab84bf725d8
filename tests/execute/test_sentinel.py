"""The sentinel, as the program that it is, with real containers."""

from __future__ import annotations

import subprocess
import sys
import uuid
from urllib.parse import urlsplit

import pytest

from support.docker_engine import BUSYBOX_IMAGE
from support.until import until
from swath.execute import sentinel

pytestmark = pytest.mark.docker


def made(*options: str) -> str:
    """The id of a container that sleeps."""
    words = ["docker", "run", "--detach", "--init", "--rm", "--network=none", *options, BUSYBOX_IMAGE, "sleep", "60"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def exists(identifier: str) -> bool:
    """Whether there is such a container."""
    return subprocess.run(["docker", "inspect", identifier], capture_output=True, check=False).returncode == 0


def test_the_end_of_a_container_is_that_of_those_with_the_label(docker_engine: str) -> None:
    label = f"swath.session={uuid.uuid4()}"
    job, service, other = made(), made(f"--label={label}"), made(f"--label={label}0")
    words = [sys.executable, "-I", "-S", sentinel.__file__, urlsplit(docker_engine).path, job, label]
    try:
        with subprocess.Popen(words) as process:
            assert exists(service)
            subprocess.run(["docker", "kill", job], check=True, capture_output=True)
            assert process.wait(60) == 0
        assert not exists(service)
        assert exists(other)
    finally:
        subprocess.run(["docker", "rm", "--force", job, service, other], capture_output=True, check=False)


def test_a_container_that_is_gone_has_ended(docker_engine: str) -> None:
    label = f"swath.session={uuid.uuid4()}"
    service = made(f"--label={label}")
    words = [sys.executable, "-I", "-S", sentinel.__file__, urlsplit(docker_engine).path, "gone", label]
    subprocess.run(words, check=True, timeout=60)
    until(lambda: not exists(service))
