"""Paths in commands against deps and outs: DVC must know what a service reads and writes, or it does not run again."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from swath.lint.group import Observation, observe
from swath.model.arguments import VOLUME, Arguments, parse_arguments, repository_path, volume_of
from swath.model.suggestion import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.lint.group import Command, Group
    from swath.lint.problem import Problem, Section
    from swath.lint.repository_facts import RepositoryFacts
    from swath.model.stage import Stage

_OUTSIDE: Final = "name a path below the repository, or a volume"


def check_paths(facts: RepositoryFacts, group: Group) -> Iterator[Problem]:
    """What is wrong with the deps and outs of a group's stages."""
    yield from observe(group, lambda stage: _stage(facts, group, stage))


def _stage(facts: RepositoryFacts, group: Group, stage: Stage) -> Iterator[Observation]:
    for command in group.commands(stage):
        if not command.words or command.words[0] not in facts.services:
            continue
        name, *words = command.words
        yield from _service_folder(stage, name, command)
        service = facts.services[name]
        if service is None:
            continue
        arguments = parse_arguments(service, words)
        yield from _inputs(stage, arguments, command)
        yield from _outputs(facts, stage, arguments, command)
        yield from _volumes(facts, stage, arguments, command)


def _service_folder(stage: Stage, name: str, command: Command) -> Iterator[Observation]:
    folder = f"services/{name}"
    if any(_is_in(folder, dep.path) for dep in stage.deps):
        return
    text = posixpath.relpath(folder, stage.wdir)
    message = f"{text} is not among the deps: a changed service would not run the stage again"
    yield Observation(
        "service-dep", name, message, f"add `- {text}` to deps", command.steps, add=("deps", text), first=True
    )


def _inputs(stage: Stage, arguments: Arguments, command: Command) -> Iterator[Observation]:
    for parameter, value in arguments.paths("input"):
        if value.startswith(VOLUME):
            continue
        option = f"--{parameter.name}"
        text = command.template_of(option, value)
        try:
            path = repository_path(value, stage.wdir)
        except ValueError as error:
            yield Observation("path", f"{option} {text}", f"{option}: {error}", _OUTSIDE, command.steps)
            continue
        known = [dep.path for dep in stage.deps] + [read.path for read in stage.params]
        known += [out.path for out in stage.outs if out.persist]
        if any(_is_in(path, dep) for dep in known):
            continue
        parts = sorted(dep for dep in known if _is_in(dep, path))
        if parts:
            message = f"{option}: of the folder {text}, only a part is among the deps: {', '.join(parts[:3])}"
            hint = "add the folder itself to deps if the service reads all of it"
            yield Observation("input-part", f"{option} {text}", message, hint, command.steps, "warning")
            continue
        message = f"{option}: the input {text} is not among the deps: the stage would not run again when it changes"
        is_own = any(_is_in(path, out.path) or _is_in(out.path, path) for out in stage.outs)
        add: tuple[Section, str] | None = None if is_own else ("deps", text)
        yield Observation("input-dep", f"{option} {text}", message, f"add `- {text}` to deps", command.steps, add=add)


def _outputs(facts: RepositoryFacts, stage: Stage, arguments: Arguments, command: Command) -> Iterator[Observation]:
    for parameter, value in arguments.paths("output"):
        if value.startswith(VOLUME):
            continue
        option = f"--{parameter.name}"
        text = command.template_of(option, value)
        try:
            path = repository_path(value, stage.wdir)
        except ValueError as error:
            yield Observation(
                "path", f"{option} {text}", f"{option}: {error}", "name a path below the repository", command.steps
            )
            continue
        if path == "." or path.split("/")[0] in {".git", ".dvc"}:
            message = f"{option}: {text} cannot be an output: the repository itself lives there"
            yield Observation("path", f"{option} {text}", message, "write below a folder of its own", command.steps)
            continue
        outs = [out.path for out in stage.outs]
        if any(_is_in(path, out) for out in outs):
            continue
        parts = sorted(out for out in outs if _is_in(out, path))
        if parts:
            message = f"{option}: of the folder {text}, only a part is among the outs: {', '.join(parts[:3])}"
            hint = "add the folder itself to outs if the service writes more than that"
            yield Observation("output-part", f"{option} {text}", message, hint, command.steps, "warning")
            continue
        message = f"{option}: the output {text} is not among the outs: nobody would keep or share it"
        hint = f"add `- {text}` to outs"
        add: tuple[Section, str] | None = ("outs", text) if _is_free(facts, stage, path) else None
        yield Observation("output-out", f"{option} {text}", message, hint, command.steps, add=add)


def _is_free(facts: RepositoryFacts, stage: Stage, path: str) -> bool:
    """Whether a path can become an output: nobody makes it, Git does not track it, the stage does not read it."""
    is_read = any(_is_in(path, dep.path) or _is_in(dep.path, path) for dep in stage.deps)
    return not (is_read or facts.makes(path) or (facts.git is not None and facts.git.has(path)))


def _volumes(facts: RepositoryFacts, stage: Stage, arguments: Arguments, command: Command) -> Iterator[Observation]:
    for direction in ("input", "output"):
        for parameter, value in arguments.paths(direction):
            if not value.startswith(VOLUME):
                continue
            option = f"--{parameter.name}"
            message, hint = _volume_problem(facts, value, is_output=direction == "output")
            if message:
                yield Observation("volume", f"{option} {value}", f"{option}: {message}", hint, command.steps)
            elif direction == "input" and not _follows_data(stage, command):
                name = value.removeprefix(VOLUME).partition("/")[0]
                message = f"{option}: nothing tells that the data in volume '{name}' changed"
                hint = "add a catalogue or checksum file of it to deps"
                yield Observation("volume-dep", f"{option} {name}", message, hint, command.steps, "warning")


def _volume_problem(facts: RepositoryFacts, value: str, *, is_output: bool) -> tuple[str, str]:
    """What is wrong with a volume's path and what to do; empty texts: nothing."""
    known = facts.settings.volumes
    volume = volume_of(value)
    if volume is None:
        return f"{value!r} is no volume: write volume:NAME or volume:NAME/PATH", ""
    name, below = volume
    if name not in known:
        hint = did_you_mean(name, known) or (one_of(known) if known else "add it under `volumes`")
        return f"swath.yaml names no volume '{name}'", hint
    if ".." in below.split("/"):
        return f"{value!r} leads out of the volume", ""
    if is_output and known[name].read_only:
        hint = f"set `read_only: false` under volumes.{name} of swath.yaml to let stages write there"
        return f"the volume '{name}' is read-only", hint
    return "", ""


def _follows_data(stage: Stage, command: Command) -> bool:
    """Whether something besides the service can change the stage: a dep, a parameter, a templated argument."""
    services = [dep for dep in stage.deps if _is_in(dep.path, "services")]
    return len(services) < len(stage.deps) or bool(stage.params) or "${" in command.template


def _is_in(path: str, folder: str) -> bool:
    return folder in {path, "."} or path.startswith(f"{folder}/")
