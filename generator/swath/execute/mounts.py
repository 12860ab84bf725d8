"""What a container sees of this machine: from an invocation's arguments to bind mounts.

The repository appears at one fixed path, so a service sees the same paths on every machine:

    /swath/repository/<path>    the tree of the staging folder, writable; over it, read-only, each input argument
                                (folders whole) and the service's folder, at their repository paths
    /swath/volumes/<name>       the volumes that the arguments name
    /tmp, /var/tmp, /run, /swath/home    folders of the attempt
    the path of the cache       when an input holds links into it, at its own path, read-only, since the links say it
    other places                when an input that no stage makes holds links to them: the user has put them there

What a stage makes leads to itself and to DVC's cache, or nothing is mounted and the stage that reads it does not start:
a service in a container cannot leave such links behind (`files/left_behind.py`), but others may have.

Mount points in folders of the attempt are made here, by the caller: made by the engine they would belong to root.
Called by `execute/staging.py`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from swath.errors import UserError
from swath.model.arguments import volume_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from swath.model.invocation import ArgumentValue, Invocation, Origins, Volume
    from swath.model.service import Parameter

REPOSITORY: Final = "/swath/repository"
VOLUMES: Final = "/swath/volumes"
HOME: Final = "/swath/home"
_OWN_FOLDERS: Final = {"tree": REPOSITORY, "home": HOME, "tmp": "/tmp", "var-tmp": "/var/tmp", "run": "/run"}  # noqa: S108 - the container's own
# What an image and the engine put here is never replaced by what a link on this machine points to.
_SYSTEM: Final = ("/dev", "/etc", "/proc", "/run", "/sys", VOLUMES, HOME, "/swath/scratch", "/opt/service")
_SYSTEM_HERE: Final = ("/dev", "/etc", "/proc", "/run", "/sys")
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
        [*own, *declared, *_link_targets(invocation.origins, inputs, declared)],
        key=lambda bind: (bind.target.count("/"), bind.target),
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
        place = self._on_machine(value)
        source = os.path.realpath(place)
        if not os.path.exists(source):
            raise UserError(f"the input {value!r} of the service {name} is not there")
        self._check_input(place, source)
        self.inputs[target] = Bind(source, target)

    def _check_input(self, place: Path, source: str) -> None:
        """See that an input that a stage makes lies in it, or in the cache, whatever links are on the way to it."""
        if not place.is_relative_to(self._root):
            return
        origins, inside = self._invocation.origins, place.relative_to(self._root)
        links = [way for way in (*reversed(inside.parents), inside) if (self._root / way).is_symlink()]
        output = origins.output_around(inside.as_posix())
        made = [way for way in links if output is not None and way.is_relative_to(output)]
        if made and output is not None and not _is_in_cache(origins, source):
            is_itself = str(made[0]) == output  # whatever it leads to is not what the stage made
            if is_itself or not _is_below(source, os.path.realpath(self._root / output)):
                raise _leads_out(made[0].as_posix(), os.readlink(self._root / made[0]))
        if links and any(_is_below(source, path) for path in _SYSTEM_HERE):
            raise UserError(f"the input {inside} is a link into {source}, which no service sees")

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


def _link_targets(origins: Origins, inputs: Iterable[Bind], declared: Iterable[Bind]) -> list[Bind]:
    """Binds for what the links in `inputs` point to and `declared` does not show, at the paths that the links say.

    Raises:
        UserError: a link in something that a stage made leads neither into it nor into the cache.
    """
    shown = [*declared, *(Bind("", path) for path in _SYSTEM)]
    added: list[Bind] = []
    for link in (link for bind in inputs for link in _links(bind)):
        if Bind("", link.says).covers(REPOSITORY) or any(bind.covers(link.says) for bind in shown):
            continue
        source = os.path.realpath(link.source)
        if not os.path.exists(source) or any(_is_below(source, path) for path in _SYSTEM_HERE):
            continue
        cache = _cache_around(origins, link, source)
        if cache is None and origins.output_around(link.place):
            raise _leads_out(link.place, link.text)
        bind = cache or Bind(source, link.says)
        shown.append(bind)
        added.append(bind)
    return _outermost(added)


def _cache_around(origins: Origins, link: _Link, source: str) -> Bind | None:
    """The whole cache, when a link says the path of an object in it: hundreds of links need one mount."""
    cached = _CACHE_OBJECT.fullmatch(link.says)
    if cached is None or not link.source.endswith(link.says) or not _is_in_cache(origins, source):
        return None
    return Bind(os.path.realpath(link.source[: -len(link.says) + len(cached[1])]), cached[1])


def _is_in_cache(origins: Origins, source: str) -> bool:
    """Whether a path without links is that of an object in DVC's cache."""
    if _CACHE_OBJECT.fullmatch(source) is None or not os.path.isfile(source):
        return False
    return origins.cache is None or _is_below(source, os.path.realpath(origins.cache))


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _leads_out(place: str, text: str) -> UserError:
    return UserError(
        f"{place!r} is a link to {text!r}: what a stage makes may lead only to itself and to DVC's cache",
        hint=f"remove it, then restore what the stage made: dvc checkout --force {quote(place)}",
    )


@dataclass(frozen=True, slots=True)
class _Link:
    """A link in an input.

    Attributes:
        place: where it is, from the root.
        text: what it says.
        says: that, as a path in the container.
        source: that, as a path on this machine; links in it are not resolved.
    """

    place: str
    text: str
    says: str
    source: str


def _links(bind: Bind) -> Iterator[_Link]:
    """Each link below `bind`."""
    folders = [(bind.source, bind.target)]
    while folders:
        here, seen = folders.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:  # a file, or not readable: the service will say so
            continue
        for entry in entries:
            if entry.is_symlink():
                text = os.readlink(entry.path)
                says = os.path.normpath(f"{seen}/{text}" if text[0] != "/" else text)
                place = os.path.relpath(f"{seen}/{entry.name}", REPOSITORY)
                yield _Link(place, text, says, os.path.normpath(os.path.join(here, text)))
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
