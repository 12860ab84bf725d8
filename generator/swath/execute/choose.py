"""Choose the runtime: what the user says, else SWATH_RUNTIME, else `docker` where it works, else `process`.

The docker runtime is imported only when it is chosen, or when an engine's socket is there: its SDK loads slowly.
"""

from __future__ import annotations

import stat
from pathlib import Path
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
_SOCKETS: Final = ("/var/run/docker.sock", "/run/docker.sock")


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


def runtime_named(name: RuntimeName, environment: Mapping[str, str]) -> Runtime:
    """A runtime by its name.

    Args:
        name: which.
        environment: the one that Swath was started with.
    """
    if name == "process":
        return ProcessRuntime(environment)
    if name == "inside":
        return InsideRuntime(environment)
    from swath.execute.container import DockerRuntime

    return DockerRuntime(environment)


def choose_runtime(service: Service, choice: RuntimeChoice, environment: Mapping[str, str]) -> Runtime:
    """The runtime for a service.

    Args:
        service: what shall run.
        choice: a runtime's name, or ``auto``: docker when an engine answers and the service has an image, else process.
        environment: the one that Swath was started with.

    Raises:
        UserError: the chosen one cannot run it, or none can; with each one's reason.
    """
    if choice != "auto":
        runtime = runtime_named(choice, environment)
        problem = runtime.problem(service)
        if problem:
            raise UserError(f"the runtime '{choice}' cannot run the service '{service.name}': {problem}")
        return runtime
    reasons: list[str] = []
    for name in _candidates(service, environment, reasons):
        runtime = runtime_named(name, environment)
        problem = runtime.problem(service)
        if problem is None:
            return runtime
        reasons.append(f"{name}: {problem}")
    lines = "\n".join(f"  {reason}" for reason in reasons)
    raise UserError(f"no runtime can run the service '{service.name}':\n{lines}")


def has_engine(environment: Mapping[str, str]) -> bool:
    """Whether there is something that looks like a Docker engine; asks nobody, so it takes no time."""
    if environment.get("DOCKER_HOST"):
        return True
    own = f"{environment.get('XDG_RUNTIME_DIR', '/run/user/0')}/docker.sock"
    return any(_is_socket(Path(path)) for path in (*_SOCKETS, own))


def _candidates(service: Service, environment: Mapping[str, str], reasons: list[str]) -> list[RuntimeName]:
    candidates: list[RuntimeName] = []
    if service.image is None:
        reasons.append("docker: service.yaml has no `image`")
    elif not has_engine(environment):
        reasons.append("docker: no engine is there (no DOCKER_HOST, no docker.sock)")
    else:
        candidates.append("docker")
    candidates.append("process")
    return candidates


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
