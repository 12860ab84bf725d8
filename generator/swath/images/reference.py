"""References of images as the YAML says them, with GitLab's variables: resolved, taken apart, or put into a shell.

``$CI_REGISTRY_IMAGE/crop:1a2b`` is expanded by GitLab's runner in `image:`, by the shell in a script, and here for what
asks the registry itself. Only ``$NAME`` and ``${NAME}`` are variables; all else is text.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Final

from swath.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_CONTENT_TAG: Final = re.compile(r"[0-9a-f]{12}-t")
_LONGEST_TAG: Final = 128  # of the distribution specification
_DEFAULT_HOST: Final = "registry-1.docker.io"
_DOCKER_HUB: Final = frozenset({"docker.io", "index.docker.io", _DEFAULT_HOST})


def resolved(reference: str, environ: Mapping[str, str]) -> str:
    """A reference without variables.

    Raises:
        UserError: one is not set.
    """

    def value(found: re.Match[str]) -> str:
        name = found.group(1) or found.group(2)
        if not environ.get(name):
            hint = f"set {name}, or write the registry's address into swath.yaml: `registry: HOST/PATH`"
            if name == "CI_REGISTRY_IMAGE":
                hint = (
                    "GitLab sets it in jobs of projects whose container registry is on (Settings > General > "
                    "Visibility); elsewhere set it, or write `registry: HOST/PATH` into swath.yaml"
                )
            raise UserError(f"the image {reference} is in a registry that is not known: {name} is not set", hint=hint)
        return environ[name]

    return _VARIABLE.sub(value, reference)


def shell_word(text: str) -> str:
    """A text as one word of a POSIX shell, its variables expanded by the shell and all else as it is."""
    words: list[str] = []
    end = 0
    for found in _VARIABLE.finditer(text):
        if text[end : found.start()]:
            words.append(shlex.quote(text[end : found.start()]))
        words.append(f'"${{{found.group(1) or found.group(2)}}}"')
        end = found.end()
    if text[end:] or not words:
        words.append(shlex.quote(text[end:]))
    return "".join(words)


def further_tags(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The tags beside the content tag that a pipeline gives its images: the branch's, and on a Git tag the release's.

    Args:
        environ: GitLab's variables.

    Returns:
        None that looks like a content tag: no branch says what contents are.
    """
    release = re.sub(rb"[^A-Za-z0-9_.-]", b"-", os.fsencode(environ.get("CI_COMMIT_TAG", ""))).decode()[:_LONGEST_TAG]
    found = dict.fromkeys((environ.get("CI_COMMIT_REF_SLUG", ""), release))
    return tuple(tag for tag in found if tag and tag[0] not in ".-" and not _CONTENT_TAG.match(tag))


def split_reference(reference: str) -> tuple[str, str, str]:
    """Host, repository and tag (or digest) of a resolved reference, as Docker understands it."""
    name, at, digest = reference.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        first, rest = _DEFAULT_HOST, name
    repository, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = rest, "latest"
    if first in _DOCKER_HUB:
        first, repository = _DEFAULT_HOST, repository if "/" in repository else f"library/{repository}"
    return first, repository, digest if at else tag
