"""Where the Docker engine is, and whether it answers: asked without the SDK, whose import takes longer than the answer.

`problem()` of the docker runtime asks on every start of a service, so this module opens a socket and nothing more.
"""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ADDRESS: Final = "unix:///var/run/docker.sock"
_ANSWER_TIMEOUT_S: Final = 5.0
_OTHERWISE: Final = "or run without Docker: --runtime process"


def engine_address(environ: Mapping[str, str]) -> str:
    """The engine's URL as the docker command finds it: DOCKER_HOST, the chosen context, a rootless socket, the default.

    Args:
        environ: the caller's environment.
    """
    if host := environ.get("DOCKER_HOST"):
        return host
    if host := _context_host(environ):
        return host
    rootless = Path(environ.get("XDG_RUNTIME_DIR") or "/nonexistent", "docker.sock")
    if rootless.exists() and not Path(urlsplit(DEFAULT_ADDRESS).path).exists():
        return f"unix://{rootless}"
    return DEFAULT_ADDRESS


def _context_host(environ: Mapping[str, str]) -> str | None:
    """The engine of the docker command's current context; None for the default one.

    Source: https://docs.docker.com/engine/manage-resources/contexts/, read with the docker command 28.2.
    """
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "/", ".docker"))
    try:
        name = environ.get("DOCKER_CONTEXT") or json.loads((folder / "config.json").read_text())["currentContext"]
        digest = hashlib.sha256(name.encode()).hexdigest()
        meta = json.loads((folder / "contexts" / "meta" / digest / "meta.json").read_text())
        return str(meta["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def why_unreachable(address: str) -> str | None:
    """Why the engine at `address` does not answer, and what to do; None: it answers."""
    parts = urlsplit(address)
    try:
        if parts.scheme in {"unix", ""}:
            return _ask_unix(parts.path)
        if parts.scheme in {"tcp", "http", "https"}:
            socket.create_connection((parts.hostname or "", parts.port or 2375), _ANSWER_TIMEOUT_S).close()
        if parts.scheme == "ssh":
            return (
                f"the Docker engine at {address} is on another machine, which does not see this one's files: choose "
                f"one here (unset DOCKER_HOST, docker context use default), {_OTHERWISE}"
            )
    except PermissionError:
        return (
            f"no permission to use the Docker engine at {address}: add yourself to the group docker "
            f"(sudo usermod -aG docker $USER, then log in again), {_OTHERWISE}"
        )
    except (FileNotFoundError, ConnectionRefusedError):
        return f"no Docker engine runs at {address}: start it (sudo systemctl start docker), {_OTHERWISE}"
    except OSError as error:
        return f"the Docker engine at {address} does not answer ({error}): restart it, {_OTHERWISE}"
    return None


def _ask_unix(path: str) -> str | None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_TIMEOUT_S)
        connection.connect(path)
        connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        answer = connection.recv(64)
    if b" 200 " in answer:
        return None
    return f"what listens at {path} is no Docker engine: see DOCKER_HOST, {_OTHERWISE}"
