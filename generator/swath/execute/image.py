"""How a service's image is made: the build's files, its arguments and a tag that names the content. No Docker here.

The tag changes exactly when something that goes into the build changes, so an image is built when its tag is absent and
never compared. What `.dvcignore` takes out (tests, READMEs) is no part of the build either. Modes, owners and times of
the files are made equal, so a checkout with other modes builds the same image, readable for every user. Called by
`execute/engine.py`.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from pathspec import GitIgnoreSpec

from swath.errors import Place, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.service import Image, ImageVariant, Service

BUILD_ARG_PREFIX: Final = "SWATH_BUILD_ARG_"
_NEVER_BUILT: Final = ("/tests/", "/README*", "__pycache__/", ".gitignore", ".dvcignore")
_ARG: Final = re.compile(r"^\s*ARG\s+(.+)$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build.

    Attributes:
        tag: the image's name; its last part is a hash of all below.
        context: the build's folder.
        files: paths from `context`, sorted.
        dockerfile: path from `context`.
        build_args: name and value.
    """

    service: str
    tag: str
    context: Path
    files: tuple[str, ...]
    dockerfile: str
    build_args: Mapping[str, str]


def recipe_for(service: Service, folder: Path, root: Path, *, gpus: bool, environ: Mapping[str, str]) -> Recipe:
    """How to build the image of `service`.

    Args:
        service: whose image.
        folder: the service's folder, absolute.
        root: the repository's root, whose `.dvcignore` counts.
        gpus: take the variant for GPUs, when there is one.
        environ: SWATH_BUILD_ARG_<NAME> overrides the build argument NAME that the Dockerfile declares.

    Raises:
        UserError: the Dockerfile or the build's folder is not there.
    """
    if service.image is None or service.image.build is None:
        raise UserError(f"the service {service.name} has no image to build")
    variant = _variant(service.image, gpus=gpus)
    place = Place(f"services/{service.name}/service.yaml", key="image")
    context = Path(os.path.normpath(folder / service.image.build))
    dockerfile = os.path.relpath(folder / variant.dockerfile, context)
    if not context.is_relative_to(folder) or not context.is_dir():
        raise UserError(f"build: {service.image.build} is no folder inside the service's", place=place)
    if dockerfile.startswith("..") or not (context / dockerfile).is_file():
        raise UserError(f"there is no {variant.dockerfile} to build the image from", place=place)
    declared = declared_args((context / dockerfile).read_text(errors="replace"))
    overridden = {name: environ[BUILD_ARG_PREFIX + name] for name in declared if BUILD_ARG_PREFIX + name in environ}
    build_args = {**variant.build_args, **overridden}
    files = _build_files(context, root, keep=dockerfile)
    digest = _content_hash(context, files, [dockerfile, *(f"{key}={build_args[key]}" for key in sorted(build_args))])
    name = re.sub(r"[^a-z0-9]+", "-", service.name).strip("-")
    return Recipe(service.name, f"swath/{name}:{digest}", context, files, dockerfile, build_args)


def declared_args(dockerfile: str) -> tuple[str, ...]:
    """The names of the build arguments that the text of a Dockerfile declares, in its order."""
    words = (word for line in _ARG.findall(dockerfile) for word in line.split())
    return tuple(dict.fromkeys(word.partition("=")[0] for word in words))


def write_context(recipe: Recipe, file: IO[bytes]) -> None:
    """The build's files as a tar archive: root's, 0644 or 0755, without times, so equal contents are equal bytes."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in recipe.files:
            entry = archive.gettarinfo(recipe.context / name, arcname=name)
            entry.mode = 0o755 if entry.mode & 0o100 else 0o644
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = 0
            if entry.isfile():
                with (recipe.context / name).open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)


def _variant(image: Image, *, gpus: bool) -> Image | ImageVariant:
    chosen = (variant for _, variant in sorted(image.variants.items()) if variant.gpus)
    return next(chosen, image) if gpus else image


def _build_files(context: Path, root: Path, *, keep: str) -> tuple[str, ...]:
    """Files and links below `context` that are not ignored, sorted; `keep` in any case."""
    own = GitIgnoreSpec.from_lines(_NEVER_BUILT)
    ignore_file = root / ".dvcignore"
    shared = GitIgnoreSpec.from_lines(ignore_file.read_text().splitlines() if ignore_file.exists() else ())
    found = []
    for folder, names, files in os.walk(context):
        linked = [name for name in names if Path(folder, name).is_symlink()]
        for name in [*files, *linked]:
            inside = os.path.relpath(Path(folder, name), context)
            in_repository = os.path.relpath(Path(folder, name), root)
            if inside == keep or not (own.match_file(inside) or shared.match_file(in_repository)):
                found.append(inside)
    return tuple(sorted(found))


def _content_hash(context: Path, files: tuple[str, ...], further: list[str]) -> str:
    """12 hex digits over names, contents, the owner's execute bit, and the further words."""
    total = hashlib.sha256()
    for name in files:
        path = context / name
        if path.is_symlink():
            kind, content = "link", os.readlink(path).encode()
        else:
            kind, content = ("program" if path.stat().st_mode & 0o100 else "file"), path.read_bytes()
        total.update(repr((name, kind, hashlib.sha256(content).hexdigest())).encode())
    total.update(repr(further).encode())
    return total.hexdigest()[:12]
