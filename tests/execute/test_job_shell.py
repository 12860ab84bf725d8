"""Which images GitLab's runner can start a job in; images of real shells."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.docker_engine import BUSYBOX_IMAGE, PYTHON_IMAGE
from swath.execute.engine import Engine
from swath.execute.job_shell import check_script, fault_in, job_shell_fault

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(os.environ)
    yield made
    made.close()


def image_of(files: dict[str, str]) -> str:
    """An image that has nothing but some of this machine's files, with the libraries that they load."""
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as archive:
        for name, source in {"empty": "/dev/null", **files}.items():
            member = tarfile.TarInfo(name)
            data = Path(source).read_bytes()
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    done = subprocess.run(["docker", "import", "-"], input=text.getvalue(), capture_output=True, check=True)
    return done.stdout.decode().strip()


def with_libraries(**programs: str) -> dict[str, str]:
    """Files of an image with these programs of this machine, by name there."""
    files = {}
    for name, command in programs.items():
        path = shutil.which(command)
        assert path
        files[f"bin/{name}"] = path
        words = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout.split()
        files.update({word.lstrip("/"): word for word in words if word.startswith("/")})
    return files


@pytest.mark.docker
@pytest.mark.parametrize("image", [BUSYBOX_IMAGE, PYTHON_IMAGE])
def test_busybox_and_debian_will_do(engine: Engine, image: str) -> None:
    assert job_shell_fault(engine, image) is None


@pytest.mark.docker
@pytest.mark.parametrize(
    ("programs", "fault"),
    [
        ({}, "there is no `sh` in it, with which GitLab's runner starts jobs: add bash or busybox"),
        (
            {"sh": "bash"},
            "GitLab's runner calls mkdir, touch in it, which it lacks: add coreutils or busybox",
        ),
        (
            {"sh": "bash", "mkdir": "mkdir"},
            "GitLab's runner calls touch in it, which it lacks: add coreutils or busybox",
        ),
        ({"sh": "bash", "mkdir": "mkdir", "touch": "touch"}, None),
    ],
)
def test_what_is_missing_is_named(engine: Engine, programs: dict[str, str], fault: str | None) -> None:
    image = image_of(with_libraries(**programs))
    try:
        assert job_shell_fault(engine, image) == fault
        assert engine.api.containers(all=True, filters={"ancestor": image}) == []
    finally:
        engine.api.remove_image(image, force=True)


@pytest.mark.docker
@pytest.mark.skipif(
    subprocess.run(["dash", "-c", "printf %s $'a\\x62'"], capture_output=True, check=False).stdout == b"ab"
    if shutil.which("dash")
    else True,
    reason="SKIPPED LOUDLY: this machine has no dash, or one that reads $'…'",
)
def test_a_dash_that_does_not_read_the_runners_quotes(engine: Engine) -> None:
    image = image_of(with_libraries(sh="dash", mkdir="mkdir", touch="touch"))
    try:
        assert job_shell_fault(engine, image) == (
            "its /bin/sh does not read $'…', in which GitLab's runner writes scripts: add bash or busybox"
        )
        both = image_of(with_libraries(sh="dash", bash="bash", mkdir="mkdir", touch="touch"))
        assert job_shell_fault(engine, both) is None
        engine.api.remove_image(both, force=True)
    finally:
        engine.api.remove_image(image, force=True)


@pytest.mark.parametrize(
    ("places", "fault"),
    [
        ("/nowhere/bash {shell}", None),
        (
            "/nowhere/bash /nowhere/sh",
            "GitLab's runner looks for bash or sh in /usr/local/bin, /usr/bin and /bin, where it has none: add one",
        ),
    ],
)
def test_a_shell_in_another_place_is_not_found_by_the_runner(places: str, fault: str | None) -> None:
    script = check_script(places.format(shell=shutil.which("bash")))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert (fault_in(done.stdout), done.stderr) == (fault, "")
