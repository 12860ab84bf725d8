"""Choose the runner of a stage: the cheapest class of swath.yaml that covers what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from swath.errors import Place, UserError
from swath.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.model.runner import Runner
    from swath.model.service import Resources
    from swath.model.stage import Stage

_SIZES: Final = ("memory", "disk")


def cheapest_runner(runners: Sequence[Runner]) -> Runner:
    """The cheapest class, the first of equal ones: for what asks for nothing."""
    return min(runners, key=lambda runner: runner.price_per_hour)


def choose_runner(stage: Stage, demand: Resources, runners: Sequence[Runner]) -> Runner:
    """The cheapest class that covers the demand, the first of equal ones.

    Raises:
        UserError: none does; says what each lacks.
    """
    fitting = [runner for runner in runners if not runner.lacking(demand)]
    if fitting:
        return cheapest_runner(fitting)
    lines = [f"{number}. [{', '.join(r.tags)}] has only {_lacks(r, demand)}" for number, r in enumerate(runners, 1)]
    message = f"no runner of swath.yaml can run the stage {stage.name}, which asks for {_asked(demand)}"
    hint = "; ".join(lines) + "; add a class under `runners`, or let the stage ask for less"
    raise UserError(message, place=Place("swath.yaml", key="runners"), hint=hint)


def _asked(demand: Resources) -> str:
    names = ("cpus", "memory", "disk", "gpus")
    return ", ".join(_quantity(name, getattr(demand, name)) for name in names if getattr(demand, name))


def _lacks(runner: Runner, demand: Resources) -> str:
    return ", ".join(_quantity(name, getattr(runner, name)) for name in runner.lacking(demand))


def _quantity(name: str, value: float) -> str:
    if name in _SIZES:
        return f"{Size(value)} {name}"
    return f"{value:g} {name if value != 1 else name.removesuffix('s')}"
