"""Who we are at an image registry: GitLab's variables, or what `docker login` wrote. Nothing here prints or keeps it.

Asked in this order, for a registry's host and port:

    CI_REGISTRY_USER, CI_REGISTRY_PASSWORD     when it is CI_REGISTRY: the job's token
    DOCKER_AUTH_CONFIG                         GitLab's variable: a config.json as text
    $DOCKER_CONFIG or ~/.docker, config.json   `auths`, `credHelpers`, `credsStore`

Source: https://docs.docker.com/reference/cli/docker/login/ and GitLab's "Access an image from a private container
registry", read 2026-11-22.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HELPER_TIMEOUT_S: Final = 20
_DOCKER_HUB: Final = "registry-1.docker.io"
_DOCKER_HUB_KEY: Final = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a secret.

    Attributes:
        source: where they come from, for messages; the secret is in none.
    """

    user: str
    password: str
    source: str

    def __repr__(self) -> str:
        """Without the secret, so that no log gets it."""
        return f"Credentials(user={self.user!r}, source={self.source!r})"


def credentials_for(host: str, environ: Mapping[str, str]) -> Credentials | None:
    """Who we are at the registry `host` (with its port); None: nobody.

    Args:
        environ: GitLab's variables, HOME, DOCKER_CONFIG.
    """
    user, password = environ.get("CI_REGISTRY_USER"), environ.get("CI_REGISTRY_PASSWORD")
    if user and password and environ.get("CI_REGISTRY") == host:
        return Credentials(user, password, "CI_REGISTRY_USER and CI_REGISTRY_PASSWORD")
    for source, document in _documents(environ):
        found = _from_document(document, host, source, environ)
        if found:
            return found
    return None


def _documents(environ: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Docker's settings, where there are any, with what to call them."""
    texts = [("DOCKER_AUTH_CONFIG", environ.get("DOCKER_AUTH_CONFIG"))]
    folder = environ.get("DOCKER_CONFIG") or os.path.join(environ.get("HOME") or "/", ".docker")
    with contextlib.suppress(OSError, ValueError):
        texts.append(("docker login", (Path(folder) / "config.json").read_text(encoding="utf-8")))
    for source, text in texts:
        try:
            document = json.loads(text or "{}")
        except ValueError:
            continue
        if isinstance(document, dict):
            yield source, document


def _from_document(
    document: Mapping[str, Any], host: str, source: str, environ: Mapping[str, str]
) -> Credentials | None:
    helpers = document.get("credHelpers")
    helper = helpers.get(host) if isinstance(helpers, dict) else None
    entry = _entry(document, host)
    found = _from_entry(entry, source)
    if found is None and (helper or (document.get("credsStore") and entry is not None)):
        found = _from_helper(str(helper or document["credsStore"]), host, environ)
    return found


def _entry(document: Mapping[str, Any], host: str) -> Mapping[str, Any] | None:
    """The entry of a host, which may stand there as a URL."""
    entries = document.get("auths")
    for key, entry in entries.items() if isinstance(entries, dict) else ():
        name = str(key).removeprefix("https://").removeprefix("http://").partition("/")[0]
        if isinstance(entry, dict) and (name == host or (key == _DOCKER_HUB_KEY and host == _DOCKER_HUB)):
            return entry
    return None


def _from_entry(entry: Mapping[str, Any] | None, source: str) -> Credentials | None:
    if not entry:
        return None
    if entry.get("username") and entry.get("password"):
        return Credentials(str(entry["username"]), str(entry["password"]), source)
    try:
        user, colon, password = base64.b64decode(str(entry.get("auth") or "")).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(user, password, source) if colon and password else None


def _from_helper(helper: str, host: str, environ: Mapping[str, str]) -> Credentials | None:
    """What a credential helper says: a program `docker-credential-NAME` that reads a host and writes JSON."""
    key = _DOCKER_HUB_KEY if host == _DOCKER_HUB else host
    try:
        done = subprocess.run(
            [f"docker-credential-{os.path.basename(helper)}", "get"],
            input=key, capture_output=True, text=True, check=True, timeout=_HELPER_TIMEOUT_S, env=dict(environ),
        )  # fmt: skip
        said = json.loads(done.stdout)
        return Credentials(said["Username"], said["Secret"], f"the credential helper {helper}")
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
