"""Images of services against their files: what would fail, or differ between machines, when CI builds them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swath.errors import Finding, Place
from swath.lint.problem import Problem
from swath.load.git_files import FILE, service_files
from swath.schema.dockerfile import bases, copied, instructions, last_base

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from swath.model.service import Service
    from swath.schema.dockerfile import Instruction

_CODE: Final = "/opt/service"
_NO_SHELL: Final = re.compile(
    r"scratch|(.*/)?distroless/(?!.*:debug).*|(.*/)?chainguard/static(:.*)?|cgr\.dev/.*/static(:.*)?"
)
_SHELLS: Final = frozenset({"sh", "bash", "busybox", "ash"})
_TAKEN: Final = "swath"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What lint knows of a service whose image is built.

    Attributes:
        context: the build's folder, from the service's; empty: that one.
        files: mode by path of what the image may have, from the service's folder.
        dockerfiles: text by path from the service's folder.
    """

    service: Service
    context: str
    files: Mapping[str, int]
    dockerfiles: Mapping[str, str]


def read_images(root: Path, services: Iterable[Service | None]) -> tuple[ImageFacts, ...]:
    """The facts of all services whose image is built.

    Raises:
        UserError: Git's index cannot be read.
    """
    found = []
    for service in services:
        if service is None or service.image is None or service.image.build is None:
            continue
        folder = root / "services" / service.name
        image = service.image
        names = sorted({image.dockerfile, *(variant.dockerfile for variant in image.variants.values())})
        texts = {name: (folder / name).read_text(errors="replace") for name in names if (folder / name).is_file()}
        files = {file.path: file.mode for file in service_files(folder, root)}
        context = str(image.build).strip("/").removeprefix("./")
        found.append(ImageFacts(service, "" if context == "." else context, files, texts))
    return tuple(found)


def check_images(images: Iterable[ImageFacts], *, are_of_jobs: bool = True) -> Iterator[Problem]:
    """What is wrong with the images.

    Args:
        are_of_jobs: whether jobs of GitLab run in them (`execution: image`).
    """
    for facts in images:
        for finding in _of_service(facts):
            yield Problem(finding)
        for name, text in facts.dockerfiles.items():
            parsed = instructions(text)
            path = f"services/{facts.service.name}/{name}"
            for finding in (*_of_dockerfile(facts, path, parsed), *(_shell(path, parsed) if are_of_jobs else ())):
                yield Problem(finding)


def _of_service(facts: ImageFacts) -> Iterator[Finding]:
    service = facts.service
    place = Place(f"services/{service.name}/service.yaml", key="name")
    if service.name == _TAKEN:
        message = f"the name {_TAKEN} is taken in the registry by Swath's own image"
        yield Finding(place, "image-name", message, "give the service another name")
    program = service.entrypoint[0].removeprefix("./")
    makes_it_one = any("chmod" in text for text in facts.dockerfiles.values())
    if facts.files.get(program) == FILE and not makes_it_one:
        path = f"services/{service.name}/{program}"
        message = "the entrypoint starts it, but for Git it is no program, and images have Git's modes"
        yield Finding(Place(path), "image-program", message, f"git update-index --chmod=+x '{path}'", "warning")


def _of_dockerfile(facts: ImageFacts, path: str, parsed: tuple[Instruction, ...]) -> Iterator[Finding]:
    for one, source in copied(parsed):
        inside = "/".join(part for part in (facts.context, source) if part and part != ".")
        is_there = not inside or any(file == inside or file.startswith(f"{inside}/") for file in facts.files)
        if not is_there:
            message = f"{one.name} {source}: images are built without it: there is no such file, or .dvcignore or Git "
            yield Finding(Place(path, one.line), "image-copy", f"{message}ignores it", "copy only what is in Git")
    for one, image in bases(parsed):
        name, _, tag = image.rpartition("/")[2].partition(":")
        if "@" not in image and tag in {"", "latest"}:
            message = f"{one.name} {image}: what it stands for changes, and the image's tag does not"
            yield Finding(Place(path, one.line), "image-base", message, f"name a version: {name}:VERSION", "warning")
    words = [word for one in parsed for word in one.words]
    has_code = any(word in facts.files for word in facts.service.entrypoint)
    if has_code and not any(_CODE in word for word in words):
        message = f"it copies nothing to {_CODE}, where the service's program is looked for"
        yield Finding(Place(path), "image-code", message, f"COPY the program to {_CODE}/", "warning")


def _shell(path: str, parsed: tuple[Instruction, ...]) -> Iterator[Finding]:
    """A base without a shell, unless something that may be one is copied into the last stage."""
    found = last_base(parsed)
    if found is None or not _NO_SHELL.fullmatch(found[1]):
        return
    start, image = found
    copies = [one for one in parsed if one.line > start.line and one.name in {"COPY", "ADD"}]
    words = [word for one in copies for word in one.words]
    if any(word.rpartition("/")[2] in _SHELLS for word in words) or any(one.words[-1:] == ("/",) for one in copies):
        return
    message = f"FROM {image}: GitLab's runner starts jobs by a shell in the image, and there is none"
    hint = "take a base with bash or busybox, or set `execution: docker` in swath.yaml"
    yield Finding(Place(path, start.line), "image-shell", message, hint, "warning")
