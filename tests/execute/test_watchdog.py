"""The watchdog, as the program that it is, with a real container."""

from __future__ import annotations

import subprocess
import sys
import uuid
from urllib.parse import urlsplit

import pytest

from support.docker_engine import BUSYBOX_IMAGE
from swath.execute import watchdog

pytestmark = pytest.mark.docker


def exists(name: str) -> bool:
    """Whether there is a container of this name."""
    return subprocess.run(["docker", "inspect", name], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(("lines", "remains"), [("+{}\n", False), ("+{}\n-{}\n", True), ("+none\n+{}\n", False)])
def test_what_is_on_the_list_at_the_end_is_removed(docker_engine: str, lines: str, remains: bool) -> None:  # noqa: FBT001 - a parameter
    name = f"swath-test-{uuid.uuid4()}"
    subprocess.run(["docker", "create", "--name", name, BUSYBOX_IMAGE, "sleep", "60"], check=True, capture_output=True)
    try:
        words = [sys.executable, "-I", "-S", watchdog.__file__, urlsplit(docker_engine).path]
        subprocess.run(words, input=lines.replace("{}", name), text=True, check=True, timeout=60)
        assert exists(name) == remains
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def test_an_engine_that_is_gone_is_no_error() -> None:
    words = [sys.executable, "-I", "-S", watchdog.__file__, "/nowhere.sock"]
    done = subprocess.run(words, input="+x\n", text=True, capture_output=True, check=True, timeout=60)
    assert done.stderr == ""
