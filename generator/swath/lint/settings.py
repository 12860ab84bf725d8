"""swath.yaml against the repository: what it names exists, and its runners can run the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.errors import Finding, FindingsError
from swath.lint.group import Observation, observe
from swath.lint.problem import Problem
from swath.load.options import stage_options
from swath.load.volumes import SETTINGS_FILE
from swath.model.suggestion import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.lint.group import Group
    from swath.lint.repository_facts import RepositoryFacts
    from swath.model.service import Resources
    from swath.model.stage import Stage


def check_settings(facts: RepositoryFacts) -> Iterator[Problem]:
    """Names in swath.yaml that stand for nothing."""
    document = facts.settings_document
    if document is None:
        return
    named: list[tuple[str, ...]] = [("services", name) for name in facts.settings.services]
    named += [("ci", "services", name) for name in facts.settings.ci.services]
    for path in named:
        name = path[-1]
        if name not in facts.services:
            hint = did_you_mean(name, facts.services) or (one_of(facts.services) if facts.services else "take it out")
            place = document.place(*path)
            yield Problem(Finding(place, "unknown-service", f"there is no service '{name}'", hint))
    ci = document.value.get("ci") if isinstance(document.value, dict) else None
    if isinstance(ci, dict) and "workflows" in ci:  # not said, it means all there are
        for position, file in enumerate(facts.settings.ci.workflows):
            if file not in facts.workflow_files:
                hint = did_you_mean(file, facts.workflow_files) or one_of(facts.workflow_files)
                place = document.place("ci", "workflows", position)
                yield Problem(Finding(place, "unknown-workflow", f"there is no {file}", hint))


def check_demand(facts: RepositoryFacts, group: Group) -> Iterator[Problem]:
    """Stages that ask for more than any runner that swath.yaml names has."""
    value = facts.settings_document.value if facts.settings_document else None
    if isinstance(value, dict) and "runners" in value and not group.is_outline:
        yield from observe(group, lambda stage: _demand(facts, group, stage))


def _demand(facts: RepositoryFacts, group: Group, stage: Stage) -> Iterator[Observation]:
    words = next((command.words for command in group.commands(stage) if command.words), None)
    service = facts.services.get(words[0]) if words else None
    try:
        demand = stage_options(stage, service, facts.settings, in_ci=True).resources
    except FindingsError:
        return  # told already
    if all(runner.lacking(demand) for runner in facts.settings.runners):
        message = f"no runner of {SETTINGS_FILE} offers what the stage asks for: {_written(demand)}"
        hint = f"add such a runner to {SETTINGS_FILE}, or ask for less there under `services`"
        yield Observation("no-runner", "", message, hint, (), "warning")


def _written(demand: Resources) -> str:
    values = {name: getattr(demand, name) for name in ("cpus", "memory", "disk", "gpus")}
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
        if value
    )
