"""Commands against services: they exist, each argument is known, present, of its type, and stays one word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.lint.group import Group, Observation, has_sign, observe
from swath.load.options import meta_overrides
from swath.model.arguments import parse_arguments
from swath.model.shell_words import mentions_exec, named_services, templating_problems
from swath.model.suggestion import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.lint.group import Command
    from swath.lint.problem import Problem
    from swath.lint.repository_facts import RepositoryFacts
    from swath.model.arguments import ArgumentProblem
    from swath.model.stage import Stage


def check_commands(facts: RepositoryFacts, group: Group) -> Iterator[Problem]:
    """What is wrong with the commands of a group's stages."""
    yield from observe(group, _empty)
    yield from observe(group, lambda stage: _form(group, stage))
    yield from observe(group, lambda stage: _several(group, stage))
    yield from observe(group, lambda stage: _one_word(group, stage))
    yield from observe(group, lambda stage: _arguments(facts, group, stage))
    yield from observe(group, lambda stage: _meta(group, stage))


def _empty(stage: Stage) -> Iterator[Observation]:
    """Commands of a list that are blank, and stages without any other; blank lines in a text are usual."""
    if not stage.commands:
        yield Observation("empty-command", "", "the stage does nothing", "write a command", ("cmd",), "warning")
    elif isinstance(stage.cmd, tuple):
        for number, command in enumerate(stage.cmd):
            if not command.strip():
                where, message = ("cmd", number), "this command does nothing"
                yield Observation("empty-command", str(number), message, "take it out", where, "warning")


def _form(group: Group, stage: Stage) -> Iterator[Observation]:
    for command in group.commands(stage):
        if command.words is None and mentions_exec(command.text):
            message = "`swath exec` is a part of a longer shell command, so its arguments cannot be checked"
            if not named_services(command.text):
                message += ", and in CI its job has no service's image"
            hint = "let the stage's command be `swath exec` alone, with plain words and quotes"
            yield Observation("shell", command.template, message, hint, command.steps, "warning")


def _several(group: Group, stage: Stage) -> Iterator[Observation]:
    commands = list(group.commands(stage))
    names = list(dict.fromkeys(name for command in commands for name in named_services(command.text)))
    if names and (len(commands) > 1 or len(names) > 1):
        many = f"{len(commands)} commands" if len(commands) > 1 else f"{len(names)} services in one command"
        whose = f"the first, '{names[0]}'" if len(names) > 1 else "one service"
        message = f"the stage has {many}; its image, resources and timeout are those of {whose}"
        yield Observation("several-commands", "", message, "make a stage of each command", ("cmd",), "warning")


def _one_word(group: Group, stage: Stage) -> Iterator[Observation]:
    for command in group.commands(stage):
        if group.is_outline or "${" not in command.template or not mentions_exec(command.template):
            continue
        for problem in templating_problems(command.template, command.text):
            yield Observation("one-word", problem.expression, problem.message, problem.hint, command.steps)


def _arguments(facts: RepositoryFacts, group: Group, stage: Stage) -> Iterator[Observation]:
    for command in group.commands(stage):
        if command.words is None:
            unknown = [name for name in named_services(command.text) if name not in facts.services]
            yield from (_unknown_service(facts, name, command) for name in unknown)
            continue
        if not command.words:
            hint = one_of(facts.services) if facts.services else "make a service: swath service new NAME"
            yield Observation("unknown-service", "", "`swath exec` needs the name of a service", hint, command.steps)
            continue
        name, *words = command.words
        if name not in facts.services:
            if not has_sign(name):
                yield _unknown_service(facts, name, command)
            continue
        service = facts.services[name]
        for problem in parse_arguments(service, words).problems if service else ():
            if not has_sign(problem.message):  # an outline: the value is not known yet
                yield _argument(problem, command)


def _unknown_service(facts: RepositoryFacts, name: str, command: Command) -> Observation:
    hint = did_you_mean(name, facts.services) or (
        one_of(facts.services) if facts.services else f"make it: swath service new {name}"
    )
    message = f"there is no service '{name}' (no services/{name}/service.yaml)"
    return Observation("unknown-service", name, message, hint, command.steps)


def _argument(problem: ArgumentProblem, command: Command) -> Observation:
    kind = problem.message.partition(",")[0].partition("'")[0]
    text = f"{problem.option}: {problem.message}" if problem.option else problem.message
    return Observation("argument", f"{problem.option} {kind}", text, problem.hint, command.steps)


def _meta(group: Group, stage: Stage) -> Iterator[Observation]:
    if group.is_outline or not stage.meta:
        return
    _, findings = meta_overrides(stage, group.document)
    for finding in findings:
        key = finding.place.key.rpartition("meta.swath")[2].strip(".")
        steps = ("meta", "swath", *key.split(".")) if key else ("meta", "swath")
        yield Observation("meta", key, finding.message, finding.hint, steps)
