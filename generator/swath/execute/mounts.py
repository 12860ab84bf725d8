"""What a container sees of this machine: from an invocation's arguments to bind mounts.

The repository appears at one fixed path, so a service sees the same paths on every machine:

    /swath/repository/<path>    the tree of the staging folder, writable; over it, read-only, each input argument
                                (folders whole) and the service's folder, at their repository paths
    /swath/volumes/<name>       the volumes that the arguments name
    /tmp, /var/tmp, /run, /swath/home    folders of the attempt
    the path of the cache       when an input holds links into it, or into anything else: the target, at its own path,
                                read-only, since a link says this path

Mount points in folders of the attempt are made here, by the caller: made by the engine they would belong to root.
Called by `execute/staging.py`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from swath.errors import UserError
from swath.model.arguments import volume_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from swath.model.invocation import ArgumentValue, Invocation, Volume
    from swath.model.service import Parameter

REPOSITORY: Final = "/swath/repository"
VOLUMES: Final = "/swath/volumes"
HOME: Final = "/swath/home"
_OWN_FOLDERS: Final = {"tree": REPOSITORY, "home": HOME, "tmp": "/tmp", "var-tmp": "/var/tmp", "run": "/run"}  # noqa: S108 - the container's own
# What an image and the engine put here is never replaced by what a link on this machine points to.
_SYSTEM: Final = ("/dev", "/etc", "/proc", "/run", "/sys", VOLUMES, HOME, "/swath/scratch", "/opt/service")
# Where DVC keeps an object: <cache>/files/md5/ab/cdef…; before DVC 3 <cache>/ab/cdef….
_CACHE_OBJECT: Final = re.compile(r"(.+)/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of this machine that the container sees.

    Attributes:
        source: on this machine, links resolved.
        target: absolute path in the container.
    """

    source: str
    target: str
    read_only: bool = True

    def covers(self, path: str) -> bool:
        """Whether the container path `path` is this one or lies below it."""
        return path == self.target or path.startswith(self.target.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class StagedOutput:
    """An output on its way.

    Attributes:
        text: the argument's value, as the command says it.
        staged: where the service's file appears on this machine.
        final: where it belongs.
        is_directory: whether the interface promises a folder.
    """

    text: str
    staged: Path
    final: Path
    is_directory: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """What the container gets.

    Attributes:
        binds: what to mount, parents before children.
        outputs: what the service must write, in the order of the arguments.
        arguments: the invocation's, with the paths that the service sees.
    """

    binds: tuple[Bind, ...]
    outputs: tuple[StagedOutput, ...]
    arguments: tuple[tuple[str, ArgumentValue], ...]


def layout_in(folder: Path, invocation: Invocation) -> Layout:
    """What to mount for `invocation`, with the attempt's empty `folder` for all that it writes.

    Raises:
        UserError: an input is not there, an output lies outside of the repository or inside an input, a volume is
            unknown or not there.
    """
    paths = _Paths(invocation, folder / "tree")
    parameters = {parameter.name: parameter for parameter in invocation.service.parameters}
    arguments = tuple((name, paths.seen_argument(parameters.get(name), value)) for name, value in invocation.arguments)
    inputs = _outermost([*paths.inputs.values(), *_service_folder(invocation)])
    _check_overlaps(invocation, paths.outputs, inputs)
    own = tuple(Bind(str(folder / name), target, read_only=False) for name, target in _OWN_FOLDERS.items())
    for bind in own:
        Path(bind.source).mkdir()
    declared = [*inputs, *paths.volumes.values()]
    binds = sorted(
        [*own, *declared, *_link_targets(inputs, declared)], key=lambda bind: (bind.target.count("/"), bind.target)
    )
    for bind in binds:
        _make_mount_point(bind, own, binds)
    return Layout(binds=tuple(binds), outputs=tuple(paths.outputs.values()), arguments=arguments)


class _Paths:
    """Gathers inputs, outputs and volumes, each by its path in the container, while arguments are translated."""

    def __init__(self, invocation: Invocation, tree: Path) -> None:
        self._invocation = invocation
        self._root = Path(os.path.normpath(invocation.root))
        self._tree = tree
        self.inputs: dict[str, Bind] = {}
        self.outputs: dict[str, StagedOutput] = {}
        self.volumes: dict[str, Bind] = {}

    def seen_argument(self, parameter: Parameter | None, value: ArgumentValue) -> ArgumentValue:
        """The argument's value as the service sees it."""
        if isinstance(value, tuple):
            return tuple(self._seen(parameter, item) for item in value)
        return self._seen(parameter, value)

    def _seen(self, parameter: Parameter | None, value: str) -> str:
        if parameter is None or not parameter.is_path:
            return value
        if volume := volume_of(value):
            return self._add_volume(value, *volume)
        target = self._target(value)
        if parameter.direction == "output":
            self._add_output(value, target, is_directory=parameter.item_type == "directory")
        else:
            self._add_input(value, target)
        if Path(value).is_absolute():
            return target
        return f"./{value}" if value.startswith("-") else value

    def _on_machine(self, value: str) -> Path:
        return Path(os.path.normpath(self._root / self._invocation.wdir / value))

    def _target(self, value: str) -> str:
        path = self._on_machine(value)
        if path.is_relative_to(self._root):
            return os.path.normpath(Path(REPOSITORY) / path.relative_to(self._root))
        return os.path.normpath(Path(REPOSITORY) / self._invocation.wdir / value)

    def _add_input(self, value: str, target: str) -> None:
        name = self._invocation.service.name
        if target in {"/", REPOSITORY}:
            raise UserError(
                f"the input {value!r} of the service {name} is the whole repository, or more",
                hint="give the service only the folders that it reads",
            )
        source = self._on_machine(value).resolve()
        if not source.exists():
            raise UserError(f"the input {value!r} of the service {name} is not there")
        self.inputs[target] = Bind(str(source), target)

    def _add_output(self, value: str, target: str, *, is_directory: bool) -> None:
        name = self._invocation.service.name
        inside = os.path.relpath(target, REPOSITORY)
        if not target.startswith(f"{REPOSITORY}/"):
            raise UserError(
                f"the output {value!r} of the service {name} is not inside the repository",
                hint="write into the repository; what lies outside can be a volume (swath.yaml: volumes)",
            )
        if Bind("", target).covers(os.path.normpath(f"{REPOSITORY}/{self._invocation.wdir}")):
            raise UserError(f"the output {value!r} of the service {name} holds the stage's working directory")
        self.outputs[target] = StagedOutput(value, self._tree / inside, self._root / inside, is_directory)

    def _add_volume(self, value: str, name: str, below: str) -> str:
        volume = self._invocation.volumes.get(name)
        if volume is None:
            raise UserError(f"the volume {name!r} is not known", hint="name it in swath.yaml: volumes")
        if ".." in below.split("/"):
            raise UserError(f"{value!r} leaves the volume {name}")
        if "://" in volume.path:
            return _url_below(self._invocation, volume, below)
        source = (self._root / volume.path).resolve()
        if not source.is_dir():
            raise UserError(
                f"the volume {name} is not there: {volume.path} is no folder on this machine",
                hint=f"set SWATH_VOLUME_{name.upper().replace('-', '_')} to its folder here",
            )
        self.volumes[name] = Bind(str(source), f"{VOLUMES}/{name}", read_only=volume.read_only)
        return os.path.normpath(f"{VOLUMES}/{name}/{below}")


def _url_below(invocation: Invocation, volume: Volume, below: str) -> str:
    if not invocation.service.network:
        raise UserError(
            f"the volume {volume.name} is a URL, but the service {invocation.service.name} has no network",
            hint="set `network: true` in its service.yaml, or give the volume a folder",
        )
    return f"{volume.path.rstrip('/')}/{below}" if below else volume.path


def _service_folder(invocation: Invocation) -> Iterator[Bind]:
    """The service's folder at its place in the repository: a dependency as any other."""
    inside = os.path.relpath(invocation.folder, invocation.root)
    if inside not in {".", ".."} and not inside.startswith("../"):
        yield Bind(str(invocation.folder.resolve()), f"{REPOSITORY}/{inside}")


def _outermost(binds: Iterable[Bind]) -> list[Bind]:
    """The binds that lie below no other one, sorted by target; the folders around them show the rest."""
    kept: list[Bind] = []
    for bind in sorted(binds, key=lambda bind: bind.target.split("/")):
        if not (kept and kept[-1].covers(bind.target)):
            kept.append(bind)
    return kept


def _check_overlaps(invocation: Invocation, outputs: dict[str, StagedOutput], inputs: Sequence[Bind]) -> None:
    for target, output in outputs.items():
        for bind in inputs:
            if bind.covers(target) or Bind("", target).covers(bind.target):
                raise UserError(
                    f"the output {output.text!r} of the service {invocation.service.name} and the input "
                    f"{os.path.relpath(bind.target, REPOSITORY)!r} lie one inside the other",
                    hint="write the output to a folder of its own",
                )


def _link_targets(inputs: Iterable[Bind], declared: Iterable[Bind]) -> list[Bind]:
    """Binds for what the links in `inputs` point to and `declared` does not show, at the paths that the links say."""
    shown = [*declared, *(Bind("", path) for path in _SYSTEM)]
    added: list[Bind] = []
    for target, path in (pair for bind in inputs for pair in _links(bind)):
        if Bind("", target).covers(REPOSITORY) or any(bind.covers(target) for bind in shown):
            continue
        cached = _CACHE_OBJECT.fullmatch(target)
        machine = Path(path[: -len(target) + len(cached[1])] if cached and path.endswith(target) else path)
        if machine.exists():
            bind = Bind(str(machine.resolve()), cached[1] if cached and path.endswith(target) else target)
            shown.append(bind)
            added.append(bind)
    return _outermost(added)


def _links(bind: Bind) -> Iterator[tuple[str, str]]:
    """What each link below `bind` says: as a path in the container, and on this machine."""
    folders = [(bind.source, bind.target)]
    while folders:
        here, seen = folders.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:  # a file, or not readable: the service will say so
            continue
        for entry in entries:
            if entry.is_symlink():
                said = os.readlink(entry.path)
                yield os.path.normpath(f"{seen}/{said}" if said[0] != "/" else said), os.path.normpath(Path(here, said))
            elif entry.is_dir():
                folders.append((entry.path, f"{seen}/{entry.name}"))


def _make_mount_point(bind: Bind, own: Sequence[Bind], binds: Iterable[Bind]) -> None:
    """Make the file or folder over which `bind` is mounted, when it lies in a folder of the attempt."""
    covering = [other for other in binds if other is not bind and other.covers(bind.target)]
    if not covering or covering[-1] not in own:
        return
    inside = os.path.relpath(bind.target, covering[-1].target)
    point = Path(covering[-1].source, inside)
    if Path(bind.source).is_dir():
        point.mkdir(parents=True, exist_ok=True)
    else:
        point.parent.mkdir(parents=True, exist_ok=True)
        point.touch()
