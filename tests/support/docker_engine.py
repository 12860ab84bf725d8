"""A real Docker engine for the tests marked `docker`, started for the session where none answers and we are root.

Tests get it by their marker. Where no engine can be had, these tests are skipped and the terminal summary says so in
capitals; under CI=true they fail instead. `setup-docker.sh` beside this file installs what is needed and makes the base
images, which are loaded here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from swath.execute.reach import engine_address, why_unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

SETUP: Final = Path(__file__).with_name("setup-docker.sh")
PYTHON_IMAGE: Final = "swath-test/python:1"
BUSYBOX_IMAGE: Final = "swath-test/busybox:1"
IMAGES: Final = (
    BUSYBOX_IMAGE, PYTHON_IMAGE, *(f"swath-test/{name}:1" for name in ("node", "sshd", "gcl-util", "docker-cli", "buildah")),
)  # fmt: skip
BASE_OVERRIDE: Final = "SWATH_BUILD_ARG_BASE"
_START_TIMEOUT_S: Final = 60
_STATE: Final = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def docker_engine(request: pytest.FixtureRequest) -> str:
    """The address of an engine that answers and has the base images; else the test is skipped, in CI an error."""
    problem = _prepare(request.config)
    if problem and os.environ.get("CI") == "true":
        pytest.fail(f"no Docker engine in CI: {problem}", pytrace=False)
    if problem:
        pytest.skip(f"no Docker engine: {problem}")
    return engine_address(os.environ)


@pytest.fixture(autouse=True)
def _docker_when_marked(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("docker"):
        request.getfixturevalue("docker_engine")


@pytest.fixture(scope="session")
def registry(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host and port of an empty image registry on the loopback, which the engine takes without TLS."""
    if shutil.which("docker-registry") is None:
        pytest.skip(f"no Docker engine's registry: docker-registry is not installed: sh {SETUP}")
    with serve_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@contextlib.contextmanager
def serve_registry(folder: Path) -> Iterator[str]:
    """An empty image registry that keeps its files in a folder: host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/images}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    with (folder / "log").open("wb") as log:
        command = ["docker-registry", "serve", str(folder / "config.yml")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + _START_TIMEOUT_S
        while why_unreachable(f"tcp://{address}"):
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the file in which the workers of one session say which engine they started."""
    if not hasattr(config, "workerinput"):  # the controller, or the only process
        folder = Path(os.environ.get("SWATH_TEST_CACHE") or config.rootpath / ".make" / "docker")
        config.stash[_STATE] = folder / f"session-{os.getpid()}"
        os.environ["SWATH_TEST_ENGINE_STATE"] = str(config.stash[_STATE])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the engine that this session started."""
    state = config.stash.get(_STATE, None)
    if state is None or not state.exists():
        return
    text = state.read_text()
    state.unlink()
    if text:
        _stop(int(text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that tests did not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    missed = [reason for reason in reasons if "no Docker engine" in reason]
    if missed:
        terminalreporter.write_line(
            f"{len(missed)} DOCKER TESTS DID NOT RUN: {missed[0].removeprefix('Skipped: ')}\n"
            f"  `sh {SETUP.relative_to(Path.cwd()) if SETUP.is_relative_to(Path.cwd()) else SETUP}` as root installs "
            "what they need",
            red=True,
            bold=True,
        )


def _prepare(config: pytest.Config) -> str | None:
    """See to it that an engine answers and has the base images; returns why not."""
    state = Path(os.environ["SWATH_TEST_ENGINE_STATE"])
    state.parent.mkdir(parents=True, exist_ok=True)
    with (state.parent / "engine.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        problem = why_unreachable(engine_address(os.environ))
        if problem and os.geteuid() == 0 and "DOCKER_HOST" not in os.environ:
            problem = _start(state)
        return problem or _load_images()


def _start(state: Path) -> str | None:
    daemon = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if daemon is None:
        return f"dockerd is not installed: sh {SETUP}"
    log = state.parent / "dockerd.log"
    with log.open("wb") as file:
        process = subprocess.Popen([daemon], stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    state.write_text(str(process.pid))
    process.returncode = 0  # `pytest_unconfigure` ends it, maybe in another process
    until = time.monotonic() + _START_TIMEOUT_S
    while why_unreachable(engine_address(os.environ)):
        if time.monotonic() > until or not Path(f"/proc/{process.pid}").exists():
            return f"dockerd did not start, see {log}"
        time.sleep(0.1)
    return None


def _stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < until:
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
    except ChildProcessError:  # a worker's child; it has been told
        return
    except ProcessLookupError:
        return


def _load_images() -> str | None:
    if all(_docker("image", "inspect", image).returncode == 0 for image in IMAGES):
        return None
    done = subprocess.run(["sh", str(SETUP)], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"the base images are missing: {done.stderr.strip()}"


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
