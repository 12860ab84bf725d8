"""Check the words behind `swath exec SERVICE` against the service's interface. Pure functions, no I/O.

The grammar has no ambiguity: after the service's name come pairs ``--name value`` or single words ``--name=value``, and
the word behind ``--name`` is its value whatever it looks like, a leading dash included. A list parameter's option is
repeated; booleans are ``true`` or ``false``. Called by `execute/command.py` to run and by
`lint/` to prove the contract.
"""

from __future__ import annotations

import math
import posixpath
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from swath.model.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swath.model.invocation import ArgumentValue
    from swath.model.service import Parameter, Scalar, Service

VOLUME: Final = "volume:"
_VOLUME: Final = re.compile(r"volume:(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)(?P<below>(?:/.*)?)", re.DOTALL)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_EXPECTED: Final = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "file": "the path of a file",
    "directory": "the path of a folder",
}


@dataclass(frozen=True, slots=True)
class ArgumentProblem:
    """One thing wrong in a command's arguments.

    Attributes:
        option: the option, with its dashes; empty when a word belongs to none.
        message: what is wrong and what is expected.
        hint: what to do; may be empty.
    """

    option: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """``--size: message`` and the hint behind it."""
        text = f"{self.option}: {self.message}" if self.option else self.message
        return f"{text}; {self.hint}" if self.hint else text


@dataclass(frozen=True, slots=True)
class Arguments:
    """The checked arguments of one command.

    Attributes:
        given: parameter and value (a tuple for a list), in the order of the command; of a repeated option, the place of
            its first.
        defaults: parameters that the command leaves out and that have a default, in the order of service.yaml.
        problems: what is wrong, in the order of the command; what is missing comes last.
    """

    given: tuple[tuple[Parameter, ArgumentValue], ...]
    defaults: tuple[tuple[Parameter, ArgumentValue], ...]
    problems: tuple[ArgumentProblem, ...]

    @property
    def values(self) -> tuple[tuple[str, ArgumentValue], ...]:
        """Name and value of all: the given ones, then the defaults."""
        return tuple((parameter.name, value) for parameter, value in (*self.given, *self.defaults))

    def paths(self, direction: str) -> Iterator[tuple[Parameter, str]]:
        """Each given path of one direction (``input`` or ``output``) with its parameter; volumes included."""
        for parameter, value in self.given:
            if parameter.is_path and parameter.direction == direction:
                for path in items(value):
                    yield parameter, path


def parse_arguments(service: Service, words: Sequence[str]) -> Arguments:
    """Read and check the words behind the service's name, all of them, however many are wrong.

    Args:
        service: whose interface they must fit.
        words: as a shell hands them over.
    """
    known = {parameter.name: parameter for parameter in service.parameters}
    texts: dict[str, list[str]] = {}
    problems: list[ArgumentProblem] = []
    for option, text in _pairs(words, known):
        problem = _option_problem(option, text, known, words, service)
        if problem:
            problems.append(problem)
        if option in known and text is not None:
            texts.setdefault(option, []).append(text)
    given: list[tuple[Parameter, ArgumentValue]] = []
    for name, values in texts.items():
        parameter = known[name]
        problems += _value_problems(parameter, values)
        given.append((parameter, tuple(values) if parameter.is_list else values[0]))
    absent = [parameter for parameter in service.parameters if parameter.name not in texts]
    mentioned = {option for option, _ in _pairs(words, known)}
    problems += [_missing(parameter) for parameter in absent if parameter.required and parameter.name not in mentioned]
    defaults = [(parameter, default) for parameter in absent if (default := default_value(parameter)) is not None]
    return Arguments(tuple(given), tuple(defaults), tuple(problems))


def default_value(parameter: Parameter) -> ArgumentValue | None:
    """The default in the form that a service gets; None when there is none, or an empty list."""
    if parameter.default is None:
        return None
    if isinstance(parameter.default, list):
        return tuple(scalar_text(item) for item in parameter.default) or None
    return (scalar_text(parameter.default),) if parameter.is_list else scalar_text(parameter.default)


def scalar_text(value: Scalar) -> str:
    """A value of a YAML file as the word that stands for it in a command."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def items(value: ArgumentValue) -> tuple[str, ...]:
    """The values of a list parameter, or the one value of another."""
    return value if isinstance(value, tuple) else (value,)


def value_problem(parameter: Parameter, text: str) -> str | None:
    """What is wrong with one value: of the wrong type, not among the choices, out of range; None: nothing."""
    kind = parameter.item_type
    if not _is_of_type(kind, text):
        return f"expected {_EXPECTED[kind]}, got {text!r}"
    if parameter.choices is not None and not any(_equals(kind, choice, text) for choice in parameter.choices):
        choices = ", ".join(scalar_text(choice) for choice in parameter.choices)
        return f"expected one of {choices}, got {text!r}"
    if parameter.pattern is not None and not re.fullmatch(parameter.pattern, text):
        return f"expected text that matches {parameter.pattern!r}, got {text!r}"
    if parameter.minimum is not None and float(text) < parameter.minimum:
        return f"expected at least {parameter.minimum:g}, got {text}"
    if parameter.maximum is not None and float(text) > parameter.maximum:
        return f"expected at most {parameter.maximum:g}, got {text}"
    return None


def volume_of(text: str) -> tuple[str, str] | None:
    """The name and the path below it (without a leading slash) of ``volume:NAME/below``; None: no such value."""
    match = _VOLUME.fullmatch(text)
    return (match["name"], match["below"].strip("/")) if match else None


def repository_path(text: str, wdir: str) -> str:
    """The path from the repository's root of a path argument.

    Args:
        text: the argument; relative to `wdir`.
        wdir: the stage's working directory, from the root.

    Returns:
        Normalized, with forward slashes; ``.`` is the root.

    Raises:
        ValueError: absolute, empty, or outside of the repository; the text says which.
    """
    if not text or "\0" in text:
        raise ValueError("the path is empty" if not text else "the path holds a NUL")
    if posixpath.isabs(text) or re.match(r"[a-z][a-z0-9+.-]*://", text):
        raise ValueError(f"{text!r} is not a path in the repository")
    path = posixpath.normpath(posixpath.join(wdir, text))
    if path == ".." or path.startswith("../"):
        raise ValueError(f"{text!r} leads out of the repository")
    return path


def _pairs(words: Sequence[str], known: dict[str, Parameter]) -> Iterator[tuple[str, str | None]]:
    """Option without dashes and its value; None: the value is missing. A word that is no option comes as ("", word)."""
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if not word.startswith("--") or word == "--":
            yield "", word
            continue
        name, equals, text = word.removeprefix("--").partition("=")
        if equals:
            yield name, text
        elif position < len(words) and (name in known or not words[position].startswith("--")):
            yield name, words[position]
            position += 1
        else:
            yield name, None


def _option_problem(
    option: str, text: str | None, known: dict[str, Parameter], words: Sequence[str], service: Service
) -> ArgumentProblem | None:
    if not option:
        return ArgumentProblem("", f"unexpected word {text!r}", _stray_hint(words, known))
    if option not in known:
        hint = did_you_mean(option, known, prefix="--") or f"`swath service show {service.name}` lists its parameters"
        return ArgumentProblem(f"--{option}", f"service '{service.name}' has no such parameter", hint)
    if text is None:
        return ArgumentProblem(f"--{option}", f"its value is missing: expected {_EXPECTED[known[option].item_type]}")
    return None


def _stray_hint(words: Sequence[str], known: dict[str, Parameter]) -> str:
    """Where a stray word may come from: an option took the next option for its value."""
    for word, value in pairwise(words):
        if word.removeprefix("--") in known and value.startswith("--") and value.removeprefix("--") in known:
            return f"is the value of {word} missing? it took {value!r}"
    return "arguments are written --name value; quote a value with spaces"


def _value_problems(parameter: Parameter, texts: list[str]) -> Iterator[ArgumentProblem]:
    option = f"--{parameter.name}"
    if len(texts) > 1 and not parameter.is_list:
        yield ArgumentProblem(option, f"given {len(texts)} times, but it is no list")
    for text in texts:
        message = value_problem(parameter, text)
        if message:
            yield ArgumentProblem(option, message)


def _missing(parameter: Parameter) -> ArgumentProblem:
    about = f" ({parameter.description})" if parameter.description else ""
    return ArgumentProblem(f"--{parameter.name}", f"is required{about}: expected {_EXPECTED[parameter.item_type]}")


def _is_of_type(kind: str, text: str) -> bool:
    match kind:
        case "integer":
            return _INTEGER.fullmatch(text) is not None
        case "number":
            return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
        case "boolean":
            return text in {"true", "false"}
        case "file" | "directory":
            return bool(text) and "\0" not in text
        case _:
            return "\0" not in text


def _equals(kind: str, choice: Scalar, text: str) -> bool:
    if kind in {"integer", "number"} and not isinstance(choice, bool | str):
        return float(text) == choice
    return scalar_text(choice) == text
