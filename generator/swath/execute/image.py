"""How a service's image is made: the build's files, its arguments and a tag that names the content. No Docker here.

The tag changes exactly when something that goes into the build changes, so an image is built when its tag is absent and
never compared. What `.dvcignore` takes out (tests, READMEs) is no part of the build either. Modes are Git's, owners and
times are made equal, so a checkout with other modes builds the same image, readable for every user. Called by
`execute/build.py`, and by `images/service_image.py` for images that CI makes.
"""

from __future__ import annotations

import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from swath.errors import Place, UserError
from swath.load.content_tag import NO_TOOL_LAYER, tag_of, with_tool_layer
from swath.load.git_files import PROGRAM, GitFile, service_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.service import Service

BUILD_ARG_PREFIX: Final = "SWATH_BUILD_ARG_"
_LOCAL: Final = "swath/"
_ARG: Final = re.compile(r"^\s*ARG\s+(.+)$", re.MULTILINE | re.IGNORECASE)
_REPOSITORY_NAME: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_SEPARATORS: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build.

    Attributes:
        variant: the image's variant; empty: the plain one.
        tag: the image's name on this machine; its last part is the content tag.
        context: the build's folder.
        files: those of the build, by path from `context`, sorted.
        dockerfile: path from `context`.
        build_args: name and value.
    """

    service: str
    variant: str
    tag: str
    context: Path
    files: tuple[GitFile, ...]
    dockerfile: str
    build_args: Mapping[str, str]

    def published(self, registry: str) -> str:
        """The name of the same image, with the tool layer, as CI pushes it to `registry`."""
        name, _, tag = self.tag.removeprefix(_LOCAL).partition(":")
        return f"{registry.rstrip('/')}/{name}:{with_tool_layer(tag)}"


def recipe_for(
    service: Service,
    folder: Path,
    root: Path,
    *,
    gpus: bool,
    environ: Mapping[str, str],
    tool_layer: int = NO_TOOL_LAYER,
) -> Recipe:
    """How to build the image of `service`.

    Args:
        service: whose image.
        folder: the service's folder, absolute.
        root: the repository's root, whose `.dvcignore` counts.
        gpus: take the variant for GPUs, when there is one.
        environ: SWATH_BUILD_ARG_<NAME> overrides the build argument NAME that the Dockerfile declares.
        tool_layer: the version of the tool layer that is added; 0: none.

    Raises:
        UserError: the Dockerfile or the build's folder is not there.
    """
    if service.image is None or service.image.build is None:
        raise UserError(f"the service {service.name} has no image to build")
    name, variant = service.image.chosen(gpus=gpus)
    place = Place(f"services/{service.name}/service.yaml", key="image")
    context = Path(os.path.normpath(folder / service.image.build))
    dockerfile = os.path.relpath(folder / variant.dockerfile, context)
    if not context.is_relative_to(folder) or not context.is_dir():
        raise UserError(f"build: {service.image.build} is no folder inside the service's", place=place)
    if dockerfile.startswith("..") or not (context / dockerfile).is_file():
        raise UserError(f"there is no {variant.dockerfile} to build the image from", place=place)
    declared = declared_args((context / dockerfile).read_text(errors="replace"))
    said = {name: environ[BUILD_ARG_PREFIX + name] for name in declared if environ.get(BUILD_ARG_PREFIX + name)}
    changed = {name: value for name, value in said.items() if variant.build_args.get(name) != value}
    files = service_files(folder, root)
    content = tag_of(folder, files, tool_layer=tool_layer, arguments=changed)
    return Recipe(
        service=service.name,
        variant=name,
        tag=f"{_LOCAL}{repository_name(service.name, name)}:{content}",
        context=context,
        files=_build_files(folder, context, files, dockerfile),
        dockerfile=dockerfile,
        build_args={**variant.build_args, **changed},
    )


def repository_name(service: str, variant: str = "") -> str:
    """What a service's images are called in a registry: ``train``, ``train.gpu``; no other service's are.

    A dot parts the two, since no service has one in its name, and not a slash, since registries allow few levels.
    """
    name = service
    if not _REPOSITORY_NAME.fullmatch(name):  # such as `a_-b`, which a registry does not take
        name = _SEPARATORS.sub(lambda found: f".{found.group().replace('_', 'u').replace('-', 'd')}.", name).strip(".")
    return f"{name}.{repository_name(variant)}" if variant else name


def declared_args(dockerfile: str) -> tuple[str, ...]:
    """The names of the build arguments that the text of a Dockerfile declares, in its order."""
    words = (word for line in _ARG.findall(dockerfile) for word in line.split())
    return tuple(dict.fromkeys(word.partition("=")[0] for word in words))


def write_context(recipe: Recipe, file: IO[bytes]) -> None:
    """The build's files as a tar archive: root's, 0644 or 0755, without times, so equal contents are equal bytes."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for built in recipe.files:
            entry = archive.gettarinfo(recipe.context / built.path, arcname=built.path)
            entry.mode = 0o755 if built.mode == PROGRAM else 0o644
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = 0
            if entry.isfile():
                with (recipe.context / built.path).open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)


def _build_files(folder: Path, context: Path, files: tuple[GitFile, ...], dockerfile: str) -> tuple[GitFile, ...]:
    """The files below `context`, by path from there, sorted; `dockerfile` in any case."""
    start = "" if context == folder else f"{context.relative_to(folder).as_posix()}/"
    found = {file.path[len(start) :]: file for file in files if file.path.startswith(start)}
    found.setdefault(dockerfile, GitFile(dockerfile, 0o100644))
    return tuple(GitFile(path, file.mode) for path, file in sorted(found.items()))
