"""What all runtimes have in common: how the end of a service, or of a plain command, is told."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from support.plain_repository import make_repository as make_dvc_repository
from support.service_bench import Bench
from support.service_repositories import invocation, make_repository, shell_service
from swath.dvc_border.workspace import Workspace
from swath.execute.attempts import ShellCall
from swath.execute.inside import InsideRuntime
from swath.execute.process import ProcessRuntime
from swath.execute.shell import run_shell
from swath.job.plain_command import PlainCommands
from swath.model.invocation import Outcome
from swath.model.stage import Stage

Run = Callable[[str, float | None, threading.Event], Outcome]
STAGE: Final = Stage(name="a", file="dvc.yaml", key="a", group="a", cmd="", wdir=".")


def on_this_machine(root: Path, runtime: ProcessRuntime | InsideRuntime) -> Run:
    make_repository(root)

    def run(script: str, timeout_s: float | None, stop: threading.Event) -> Outcome:
        shell_service(root, "task", script)
        return runtime.run(replace(invocation(root, "task"), timeout_s=timeout_s), io.BytesIO(), stop)

    return run


def in_containers(root: Path, request: pytest.FixtureRequest) -> Run:
    request.getfixturevalue("docker_engine")
    bench = Bench(root)
    request.addfinalizer(bench.runtime.close)

    def run(script: str, timeout_s: float | None, stop: threading.Event) -> Outcome:
        bench.stop = stop
        return bench.run_script(script, timeout_s=timeout_s, arguments=(("text", "x"),))[0]

    return run


def plain_here(root: Path) -> Run:
    root.mkdir()

    def run(script: str, timeout_s: float | None, stop: threading.Event) -> Outcome:
        return run_shell(script, folder=str(root), environment={}, log=io.BytesIO(), stop=stop, timeout_s=timeout_s)

    return run


def plain_in_a_job(root: Path) -> Run:
    commands = PlainCommands(Workspace(make_dvc_repository(root, {}), {}), os.environ)
    return lambda script, timeout_s, stop: commands.start(ShellCall(STAGE, script, (), timeout_s), io.BytesIO(), stop)


@pytest.fixture(
    params=["process", "inside", "plain", "plain in a job", pytest.param("docker", marks=pytest.mark.docker)]
)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a shell script under one runtime."""
    root, environ = tmp_path / "repository", dict(os.environ)
    made: dict[str, Callable[[], Run]] = {
        "process": lambda: on_this_machine(root, ProcessRuntime(environ)),
        "inside": lambda: on_this_machine(root, InsideRuntime(environ)),
        "plain": lambda: plain_here(root),
        "plain in a job": lambda: plain_in_a_job(root),
        "docker": lambda: in_containers(root, request),
    }
    return made[request.param]()


def on_sigterm(code: int) -> str:
    return f"trap 'exit {code}' TERM; while :; do sleep 0.1; done"


@pytest.mark.parametrize(("code", "temporary"), [(75, True), (3, False), (143, False)])
def test_what_a_program_says_that_ends_by_itself(run: Run, code: int, *, temporary: bool) -> None:
    outcome = run(f"exit {code}", 60, threading.Event())
    assert (outcome.exit_code, outcome.temporary, outcome.ended_by) == (code, temporary, "itself")


@pytest.mark.parametrize(("said", "told"), [(75, 143), (0, 143), (9, 9)])
def test_after_a_timeout_nothing_passes(run: Run, said: int, told: int) -> None:
    outcome = run(on_sigterm(said), 1, threading.Event())
    assert (outcome.exit_code, outcome.temporary, outcome.ended_by) == (told, False, "timeout")
    assert outcome.reason == "it took longer than its timeout of 1s"


@pytest.mark.parametrize(("said", "told"), [(75, 143), (0, 143), (9, 9)])
def test_after_a_stop_nothing_passes(run: Run, said: int, told: int) -> None:
    stop = threading.Event()
    threading.Timer(0.7, stop.set).start()
    outcome = run(on_sigterm(said), None, stop)
    assert (outcome.exit_code, outcome.temporary, outcome.ended_by) == (told, False, "stop")
    assert outcome.reason == "it was stopped"


def test_a_full_disk_is_no_excuse_for_a_timeout(run: Run) -> None:
    outcome = run(f"echo no space left on device; {on_sigterm(1)}", 1, threading.Event())
    assert (outcome.temporary, outcome.ended_by) == (False, "timeout")
