"""The runtime `process`: the service runs on this machine, in an isolated environment made from its requirements.

No sandbox: the service sees the file system as the user does, so an undeclared read goes unnoticed here and fails
under `docker`. Its memory is watched rather than limited by the system, because RLIMIT_AS counts address space, of
which CUDA, Java and Node.js reserve far more than they use, and a control group of one's own needs rights that a user
seldom has.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Final

from swath.errors import UserError
from swath.execute.child import Child, find_program, run_child
from swath.execute.environment import HOST_NAMES, SCRATCH, missing_secrets, service_environment
from swath.execute.outputs import missing_outputs, prepare_outputs
from swath.execute.python_environment import cache_folder, make_environment, python_environment
from swath.execute.service_argv import argument_words, entrypoint_words, host_volume_path

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from pathlib import Path

    from swath.execute.python_environment import PythonEnvironment
    from swath.model.invocation import Invocation, Outcome, RuntimeName
    from swath.model.service import Service

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class ProcessRuntime:
    """Starts services as processes of this machine.

    Attributes:
        source: the environment that Swath was started with.
    """

    source: Mapping[str, str]

    @property
    def name(self) -> RuntimeName:
        """``process``."""
        return "process"

    def problem(self, service: Service) -> str | None:
        """Why the service cannot run here; None: it can. Starts nothing."""
        if service.process is None:
            return f"service.yaml of '{service.name}' has no `process`: it says how to run without Docker"
        path = self.source.get("PATH", DEFAULT_PATH)
        missing = [program for program in service.process.programs if find_program(program, path) is None]
        if missing:
            return f"'{service.name}' needs {', '.join(missing)} on PATH: install it, or use the docker runtime"
        return None

    def run(self, invocation: Invocation, log: BinaryIO | None, stop: threading.Event) -> Outcome:
        """Run the service once, in its environment, which is made first when it is not there."""
        problem = self.problem(invocation.service)
        if problem:
            raise UserError(problem)
        python = self.environment_of(invocation.service, invocation.folder)
        if python is not None and not python.is_made():
            _say(log, f"making the Python environment of '{invocation.service.name}' (once for these requirements) ...")
            make_environment(python, self.source, log, stop)
        words = entrypoint_words(invocation, str(invocation.folder), python=str(python.python) if python else None)
        return run_in_place(invocation, words, host_environment(invocation, self.source, python), log, stop)

    def environment_of(self, service: Service, folder: Path, extra: tuple[Path, ...] = ()) -> PythonEnvironment | None:
        """The service's Python environment, with further requirements files; None: it uses the host's programs."""
        if service.process is None or service.process.python is None:
            return None
        files = (folder / service.process.python, *extra)
        return python_environment(files, service.process.python_version, cache_folder(self.source))


def host_environment(
    invocation: Invocation, source: Mapping[str, str], python: PythonEnvironment | None = None
) -> dict[str, str]:
    """The variables of a service that runs on this machine: the allow-list, and where the user's things are."""
    own = {name: value for name, value in source.items() if name in HOST_NAMES}
    variables = own | service_environment(invocation, source)
    path = source.get("PATH", DEFAULT_PATH)
    variables["PATH"] = f"{python.folder / 'bin'}:{path}" if python else path
    if python:
        variables["VIRTUAL_ENV"] = str(python.folder)
        variables["PYTHONUNBUFFERED"] = "1"
    return variables


def run_in_place(
    invocation: Invocation,
    entrypoint: list[str],
    environment: dict[str, str],
    log: BinaryIO | None,
    stop: threading.Event,
) -> Outcome:
    """Run a service whose outputs are written where they belong.

    Args:
        invocation: what runs.
        entrypoint: its first words.
        environment: all of its variables.
        log: where its stdout and stderr go; None: to this process's own.
        stop: ends it when set.

    Returns:
        A success only when every output is there.
    """
    prepare_outputs(invocation)
    child = Child(
        argv=[*entrypoint, *argument_words(invocation, host_volume_path)],
        cwd=invocation.root / invocation.wdir,
        environment=environment,
        timeout_s=invocation.timeout_s,
        memory_bytes=invocation.resources.memory,
        mark=f"{SCRATCH}={invocation.scratch}",
    )
    outcome = run_child(child, log, stop)
    if outcome.exit_code == 0:
        missing = missing_outputs(invocation)
        return replace(outcome, exit_code=1, reason=_not_written(missing)) if missing else outcome
    secrets = missing_secrets(invocation, environment)
    if secrets:
        hint = f"{outcome.reason}; its secrets {', '.join(secrets)} are not set in the environment"
        return replace(outcome, reason=hint)
    return outcome


def _say(log: BinaryIO | None, sentence: str) -> None:
    """Write a line where the service's own output goes."""
    stream = log or sys.stderr.buffer
    stream.write(f"swath: {sentence}\n".encode())
    stream.flush()


def _not_written(paths: list[str]) -> str:
    return f"it ended well but did not write its output {', '.join(repr(path) for path in paths)}"
