"""From the words behind `swath exec` to an `Invocation`: arguments checked by the interface, paths by the disk.

Everything that is wrong is reported at once. Called by `cli/exec.py` and, for plain commands, by the local runner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.errors import Finding, FindingsError, Place, UserError
from swath.load.service_cache import remembered_service
from swath.model.arguments import ArgumentProblem, Arguments, parse_arguments, repository_path, volume_of
from swath.model.invocation import Invocation, Origins, Volume
from swath.model.volumes import needed_volumes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from swath.model.service import Parameter, Service

_PROTECTED: Final = (".git", ".dvc")


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a command runs.

    Attributes:
        root: the repository's root, absolute.
        wdir: working directory from the root, with forward slashes; ``.`` is the root.
        scratch: the stage's folder for checkpoints; exists.
        volumes: all volumes of swath.yaml.
        environment: further variables for the service.
        keep_outputs: outputs that are there stay, since the caller has removed what must go.
        origins: where the files of the workspace come from.
    """

    root: Path
    wdir: str
    scratch: Path
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    keep_outputs: bool = False
    origins: Origins = Origins()


def invocation_from_words(words: Sequence[str], workplace: Workplace) -> Invocation:
    """The checked start of a service.

    Args:
        words: the service's name and its arguments, as a shell hands them over.
        workplace: where it runs.

    Returns:
        With the service's own resources and timeout; `dataclasses.replace` sets others.

    Raises:
        UserError: no service is named, or there is no such one.
        FindingsError: its service.yaml or the arguments are wrong; all of it.
    """
    if not words:
        raise UserError("`swath exec` needs the name of a service", hint="`swath service list` prints them")
    service = remembered_service(workplace.root, words[0])
    arguments = parse_arguments(service, words[1:])
    problems = [*arguments.problems, *_path_problems(service, arguments, workplace)]
    if problems:
        place = f"swath exec {service.name}"
        raise FindingsError([Finding(Place(place, 0, p.option), "argument", p.message, p.hint) for p in problems])
    return Invocation(
        service=service,
        folder=workplace.root / "services" / service.name,
        arguments=arguments.values,
        root=workplace.root,
        wdir=workplace.wdir,
        scratch=workplace.scratch,
        volumes=_volumes(arguments, workplace),
        resources=service.resources,
        timeout_s=float(service.timeout) if service.timeout else None,
        environment=workplace.environment,
        keep_outputs=workplace.keep_outputs,
        origins=workplace.origins,
    )


def _volumes(arguments: Arguments, workplace: Workplace) -> dict[str, Volume]:
    paths = [path for direction in ("input", "output") for _, path in arguments.paths(direction)]
    names = {volume[0] for path in paths if (volume := volume_of(path))}
    return needed_volumes(sorted(names), workplace.volumes)


def _path_problems(service: Service, arguments: Arguments, workplace: Workplace) -> Iterator[ArgumentProblem]:
    inputs = [path for _, path in arguments.paths("input") if not path.startswith("volume:")]
    taken = {_normal(path, workplace.wdir): path for path in inputs}
    taken[f"services/{service.name}"] = f"services/{service.name}"
    taken[workplace.wdir] = "the working directory"
    for parameter, path in arguments.paths("input"):
        yield from _problem(parameter, _volume_message(path, workplace) or _input_message(parameter, path, workplace))
    outputs: dict[str, str] = {}
    for parameter, path in arguments.paths("output"):
        message = _volume_message(path, workplace, written=True) or _output_message(path, workplace, taken | outputs)
        yield from _problem(parameter, message)
        outputs[_normal(path, workplace.wdir)] = path


def _problem(parameter: Parameter, message: str) -> Iterator[ArgumentProblem]:
    if message:
        yield ArgumentProblem(f"--{parameter.name}", message)


def _volume_message(path: str, workplace: Workplace, *, written: bool = False) -> str:
    if not path.startswith("volume:"):
        return ""
    volume = volume_of(path)
    if volume is None:
        return f"{path!r} is no volume: write volume:NAME or volume:NAME/PATH"
    name, below = volume
    if ".." in below.split("/"):
        return f"{path!r} leads out of the volume"
    try:
        found = needed_volumes([name], workplace.volumes)[name]
    except UserError as error:
        return f"{error.message}; {error.hint}"
    if written and found.read_only:
        return f"the volume '{name}' is read-only; set `read_only: false` in swath.yaml to let stages write there"
    return ""


def _input_message(parameter: Parameter, path: str, workplace: Workplace) -> str:
    """What is wrong with an input's path; empty: nothing."""
    if path.startswith("volume:"):
        return _volume_input_message(parameter, path, workplace)
    try:
        place = workplace.root / repository_path(path, workplace.wdir)
    except ValueError as error:
        return f"{error}; name a path below the repository, or a volume"
    return _kind_message(parameter, place, path)


def _volume_input_message(parameter: Parameter, path: str, workplace: Workplace) -> str:
    name, below = volume_of(path) or ("", "")
    source = workplace.volumes[name].path
    if source.startswith(("http://", "https://")):
        return ""
    return _kind_message(parameter, Path(source) / below, path)


def _kind_message(parameter: Parameter, place: Path, path: str) -> str:
    is_folder = parameter.item_type == "directory"
    what = "folder" if is_folder else "file"
    try:
        if place.is_dir() if is_folder else place.is_file():
            return ""
        if place.exists():
            return f"expected a {what}, but {path!r} is {'a file' if is_folder else 'a folder'}"
    except OSError as error:
        return f"{path!r} cannot be read: {error.strerror}"
    return f"there is no {what} {path!r}"


def _output_message(path: str, workplace: Workplace, taken: Mapping[str, str]) -> str:
    """What is wrong with an output's path: it is removed before the start, so nothing else may be in it."""
    if path.startswith("volume:"):
        return ""
    try:
        normal = repository_path(path, workplace.wdir)
    except ValueError as error:
        return f"{error}; name a path below the repository"
    if normal == "." or normal.split("/")[0] in _PROTECTED:
        return f"{path!r} cannot be an output: the repository itself lives there"
    for other, name in taken.items():
        if f"{other}/".startswith(f"{normal}/"):
            return f"the output {path!r} would replace {name}"
    return ""


def _normal(path: str, wdir: str) -> str:
    try:
        return repository_path(path, wdir)
    except ValueError:
        return path
