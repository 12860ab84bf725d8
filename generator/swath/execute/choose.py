"""Choose the runtime: what the user says, else SWATH_RUNTIME, else `docker` where it works, else `process`.

The docker runtime is imported only when it is chosen: that takes longer than all else here.
"""

from __future__ import annotations

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
    candidates: tuple[RuntimeName, ...] = ("docker", "process")
    for name in candidates:
        problem = _no_docker(service, environment) if name == "docker" else None
        if problem is None:
            runtime = runtime_named(name, environment)
            problem = runtime.problem(service)
            if problem is None:
                return runtime
        reasons.append(f"{name}: {problem}")
    lines = "\n".join(f"  {reason}" for reason in reasons)
    raise UserError(f"no runtime can run the service '{service.name}':\n{lines}")


def _no_docker(service: Service, environment: Mapping[str, str]) -> str | None:
    """Why docker is out of the question, asked before its runtime is imported, which takes a tenth of a second."""
    if service.image is None:
        return "service.yaml has no `image`"
    from swath.execute.reach import engine_address, why_unreachable

    return why_unreachable(engine_address(environment))
