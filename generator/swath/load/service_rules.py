"""What a service.yaml must keep beyond its form: rules over a read `Service` and its folder.

Each rule is a function that yields findings; `broken_rules` asks all. Called by `load/services.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from swath.errors import Finding
from swath.model.arguments import scalar_text, value_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swath.model.service import Image, Parameter, Scalar, Service
    from swath.schema.yaml12 import Document

RESERVED_NAMES: Final = frozenset({"help", "version"})
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")
_DIGEST: Final = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_PROGRAM_SUFFIXES: Final = (".py", ".sh", ".js", ".mjs", ".cjs", ".jar", ".R", ".r", ".jl", ".pl", ".rb", ".lua")


def broken_rules(service: Service, document: Document, folder: Path) -> Iterator[Finding]:
    """All findings of all rules, in no order.

    Args:
        service: as it was read.
        document: where its keys stand.
        folder: the service's folder.
    """
    yield from _name(service, document, folder)
    yield from _parameters(service, document)
    yield from _entrypoint(service, document, folder)
    yield from _process(service, document, folder)
    if service.image is not None:
        yield from _image(service.image, document, folder)


def _name(service: Service, document: Document, folder: Path) -> Iterator[Finding]:
    if service.name != folder.name:
        message = f"the name is '{service.name}', but the folder is '{folder.name}'"
        yield Finding(document.place("name"), "name", message, "give both the same name")
    elif not _NAME.fullmatch(service.name):  # msgspec's pattern lets a line end pass
        yield Finding(document.place("name"), "name", f"{service.name!r} holds a line end")
    for position, secret in enumerate(service.secrets):
        if secret.startswith("SWATH_"):
            message = f"'{secret}' is Swath's own variable and is given to no service"
            yield Finding(document.place("secrets", position), "secrets", message, "choose another name")


def _parameters(service: Service, document: Document) -> Iterator[Finding]:
    counts = Counter(parameter.name for parameter in service.parameters)
    for position, parameter in enumerate(service.parameters):
        for key, message, hint in _parameter(parameter):
            yield Finding(document.place("parameters", position, key), "parameter", message, hint)
        if counts[parameter.name] > 1:
            message = f"the name '{parameter.name}' stands {counts[parameter.name]} times"
            yield Finding(document.place("parameters", position, "name"), "parameter", message)


def _parameter(parameter: Parameter) -> Iterator[tuple[str, str, str]]:
    """Key, message and hint of what is wrong with one parameter."""
    if parameter.name in RESERVED_NAMES or not _NAME.fullmatch(parameter.name):
        yield "name", f"{parameter.name!r} cannot be a parameter's name", "choose another name"
    if parameter.is_path:
        yield from _path_parameter(parameter)
    elif parameter.direction is not None:
        yield "direction", f"only a file or directory has a direction, and '{parameter.type}' is none", ""
    if parameter.required and parameter.default is not None:
        yield "default", "a required parameter has no default", "drop `required` or `default`"
    pattern_message = _pattern_message(parameter)
    if pattern_message:
        yield "pattern", pattern_message, ""
    yield from _bounds(parameter)
    if not pattern_message and not parameter.is_path:
        yield from _values(parameter)


def _path_parameter(parameter: Parameter) -> Iterator[tuple[str, str, str]]:
    if parameter.direction is None:
        yield "type", f"a {parameter.item_type} needs a direction", "add `direction: input` or `direction: output`"
    if parameter.default is not None:
        yield "default", "a path has no default: the stage says it, as a dep or an out", "drop `default`"
    if parameter.choices is not None:
        yield "choices", "a path has no choices", "drop `choices`"


def _pattern_message(parameter: Parameter) -> str:
    if parameter.pattern is None:
        return ""
    if parameter.item_type != "string":
        return f"a pattern is for strings, not for '{parameter.type}'"
    try:
        re.compile(parameter.pattern)
    except re.error as error:
        return f"not a regular expression: {error}"
    return ""


def _bounds(parameter: Parameter) -> Iterator[tuple[str, str, str]]:
    for key in ("minimum", "maximum"):
        if getattr(parameter, key) is not None and parameter.item_type not in {"integer", "number"}:
            yield key, f"a {key} is for numbers, not for '{parameter.type}'", ""
    if parameter.minimum is not None and parameter.maximum is not None and parameter.minimum > parameter.maximum:
        yield "minimum", f"the minimum {parameter.minimum:g} is above the maximum {parameter.maximum:g}", ""


def _values(parameter: Parameter) -> Iterator[tuple[str, str, str]]:
    """The default and the choices fit the type; the default fits everything else too."""
    for choice in parameter.choices or ():
        if not _has_type(parameter, choice):
            yield "choices", f"{choice!r} is not of type {parameter.item_type}", _quote_hint(parameter, choice)
    if parameter.choices is not None and not parameter.choices:
        yield "choices", "an empty list leaves no value", "drop `choices`"
    if parameter.default is None:
        return
    if isinstance(parameter.default, list) != parameter.is_list:
        wanted = "a list" if parameter.is_list else "one value"
        yield "default", f"the default of '{parameter.type}' is {wanted}", ""
        return
    for item in parameter.default if isinstance(parameter.default, list) else [parameter.default]:
        yield from _default_item(parameter, item)


def _default_item(parameter: Parameter, item: Scalar) -> Iterator[tuple[str, str, str]]:
    is_bounded = parameter.minimum is not None or parameter.maximum is not None
    if not _has_type(parameter, item):
        yield "default", f"{item!r} is not of type {parameter.item_type}", _quote_hint(parameter, item)
    elif not is_bounded or parameter.item_type in {"integer", "number"}:  # else the bounds are wrong themselves
        message = value_problem(parameter, scalar_text(item))
        if message:
            yield "default", message, ""


def _has_type(parameter: Parameter, value: object) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    }  # fmt: skip
    is_boolean = isinstance(value, bool)
    return isinstance(value, kinds[parameter.item_type]) and is_boolean == (parameter.item_type == "boolean")


def _quote_hint(parameter: Parameter, value: object) -> str:
    return f'write it in quotes: "{value}"' if parameter.item_type == "string" else ""


def _entrypoint(service: Service, document: Document, folder: Path) -> Iterator[Finding]:
    for position, word in enumerate(service.entrypoint):
        place = document.place("entrypoint", position)
        if not word or "\0" in word:
            yield Finding(place, "entrypoint", "an empty word cannot start a program")
        elif word.endswith(_PROGRAM_SUFFIXES) and not word.startswith("/") and not (folder / word).is_file():
            message = f"the service's folder has no file '{word}'"
            yield Finding(place, "entrypoint", message, "write the program, or correct the name")


def _process(service: Service, document: Document, folder: Path) -> Iterator[Finding]:
    process = service.process
    if process is None:
        return
    if process.python is not None and not _is_inside(folder, process.python):
        message = f"the service's folder has no file '{process.python}'"
        yield Finding(document.place("process", "python"), "process", message, "list the packages it needs there")
    if process.python is None and process.python_version is not None:
        message = "without `python` no environment is made"
        yield Finding(document.place("process", "python_version"), "process", message, "add `python: requirements.txt`")
    if process.python_version is not None and not re.fullmatch(r"3\.\d+(\.\d+)?", process.python_version):
        message = f"{process.python_version!r} is not a Python version"
        yield Finding(document.place("process", "python_version"), "process", message, 'write it as "3.11", in quotes')


def _image(image: Image, document: Document, folder: Path) -> Iterator[Finding]:
    if (image.build is None) == (image.reference is None):
        message = "an image is either built or a public one"
        yield Finding(document.place("image"), "image", message, "give `build` or `reference`, and not both")
    yield from _references(image, document)
    if image.build is None:
        return
    if image.build.startswith("/") or ".." in image.build.split("/") or not (folder / image.build).is_dir():
        message = f"'{image.build}' is no folder inside the service's own"
        yield Finding(document.place("image", "build"), "image", message, "write `build: .`")
        return
    files: dict[tuple[str, ...], str] = {("image", "dockerfile"): image.dockerfile}
    files |= {("image", "variants", name, "dockerfile"): variant.dockerfile for name, variant in image.variants.items()}
    for path, dockerfile in files.items():
        if not _is_inside(folder / image.build, dockerfile):
            yield Finding(document.place(*path), "image", f"the service's folder has no file '{dockerfile}'")


def _references(image: Image, document: Document) -> Iterator[Finding]:
    """Public images are pinned, and their variants are public ones too."""
    said: list[tuple[tuple[str, ...], str | None]] = [(("image",), image.reference)]
    said += [(("image", "variants", name), variant.reference) for name, variant in image.variants.items()]
    for path, reference in said:
        if reference is not None and not _DIGEST.fullmatch(reference):
            message = f"'{reference}' is not pinned: a tag can change under the same name"
            hint = "add its digest: NAME:TAG@sha256:… (`docker buildx imagetools inspect NAME:TAG` prints it)"
            yield Finding(document.place(*path, "reference"), "image", message, hint)
        if (reference is None) != (image.reference is None):
            message = "a variant is built when the plain image is, and a public one when that is one"
            hint = "take `reference` out" if reference else "give it a `reference`"
            yield Finding(document.place(*path), "image", message, hint)


def _is_inside(folder: Path, name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/") and (folder / name).is_file()
