"""Choose the runtime: what the user says, else SWATH_RUNTIME, else `docker` where it works, else `process`.

`docker` works where an engine answers and the service has an image; when nobody chose it and the image cannot be
fetched, `process` stands in (`image_or_process.py`). The docker runtime is imported only when it is chosen: that takes
longer than all else here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, get_args

from swath.errors import UserError
from swath.execute.inside import InsideRuntime
from swath.execute.process import ProcessRuntime
from swath.model.invocation import RuntimeChoice, RuntimeName
from swath.model.suggestion import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.execute.runtime import Runtime
    from swath.model.service import Service

RUNTIME_VARIABLE: Final = "SWATH_RUNTIME"


def runtime_choice(option: str | None, environment: Mapping[str, str]) -> RuntimeChoice:
    """What the user chose: the option, else SWATH_RUNTIME, else ``auto``.

    Raises:
        UserError: there is no such runtime.
    """
    said = option or environment.get(RUNTIME_VARIABLE) or "auto"
    choices: tuple[RuntimeChoice, ...] = get_args(RuntimeChoice)
    for choice in choices:
        if said == choice:
            return choice
    source = "--runtime" if option else RUNTIME_VARIABLE
    raise UserError(f"{source}: there is no runtime '{said}'", hint=did_you_mean(said, choices) or one_of(choices))


class Runtimes:
    """The runtimes of one process, each made once and only when it is chosen. Thread-safe.

    Args:
        environment: the one that Swath was started with.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._lock = threading.Lock()
        self._made: dict[RuntimeName, Runtime] = {}
        self._unfetched: set[str] = set()

    def named(self, name: RuntimeName) -> Runtime:
        """A runtime by its name."""
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    def choose(self, service: Service, choice: RuntimeChoice) -> Runtime:
        """The runtime for a service.

        Args:
            service: what shall run.
            choice: a runtime's name, or ``auto``: docker when an engine answers and the service has an image, else
                process.

        Raises:
            UserError: the chosen one cannot run it, or none can; with each one's reason.
        """
        if choice != "auto":
            runtime = self.named(choice)
            problem = runtime.problem(service)
            if problem:
                raise UserError(f"the runtime '{choice}' cannot run the service '{service.name}': {problem}")
            return runtime
        no_docker = _no_docker(service, self._environment)
        process = self.named("process")
        no_process = process.problem(service)
        if no_docker is None:
            docker = self.named("docker")
            no_docker = docker.problem(service)
            if no_docker is None:
                return docker if no_process else self._docker_or(process, docker)
        if no_process is None:
            return process
        reasons = f"  docker: {no_docker}\n  process: {no_process}"
        raise UserError(f"no runtime can run the service '{service.name}':\n{reasons}")

    def _make(self, name: RuntimeName) -> Runtime:
        if name == "process":
            return ProcessRuntime(self._environment)
        if name == "inside":
            return InsideRuntime(self._environment)
        from swath.execute.container import DockerRuntime

        return DockerRuntime(self._environment)

    def _docker_or(self, process: Runtime, docker: Runtime) -> Runtime:
        from swath.execute.container import DockerRuntime
        from swath.execute.image_or_process import ImageOrProcess

        return ImageOrProcess(docker, process, self._unfetched) if isinstance(docker, DockerRuntime) else docker


def choose_runtime(service: Service, choice: RuntimeChoice, environment: Mapping[str, str]) -> Runtime:
    """The runtime for one start of a service; see `Runtimes.choose`."""
    return Runtimes(environment).choose(service, choice)


def _no_docker(service: Service, environment: Mapping[str, str]) -> str | None:
    """Why docker is out of the question, asked before its runtime is imported, which takes a tenth of a second."""
    if service.image is None:
        return "service.yaml has no `image`"
    from swath.execute.reach import engine_address, why_unreachable

    return why_unreachable(engine_address(environment))
