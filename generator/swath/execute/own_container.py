"""The container that Swath itself runs in, as the engine knows it: a CI job that has the engine's socket.

The engine looks for bind mounts on its own machine, where our folders have other paths: GitLab's docker executor keeps
`/builds` in a volume. What our container mounts tells where they lie. Called by `execute/engine.py`.
"""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docker import errors, types

from swath.errors import UserError
from swath.execute import sentinel

if TYPE_CHECKING:
    from docker.api.client import APIClient

_SOCKET: Final = "/engine.sock"
_SENTINEL_MEMORY: Final = 64 * 2**20
_SENTINEL_PIDS: Final = 64
_MOUNTS: Final = Path("/proc/self/mountinfo")
# The engine mounts files of its own folder for the container over these; control groups no longer say the id.
_ID: Final = re.compile(r"/([0-9a-f]{64})/\S* /etc/(?:hostname|hosts|resolv\.conf) ")


@dataclass(frozen=True, slots=True)
class OwnContainer:
    """Our container.

    Attributes:
        identifier: at the engine.
        image: its image's id.
        mounts: path here, and on the engine's machine; those below others first.
    """

    identifier: str
    image: str
    mounts: tuple[tuple[str, str], ...]

    def on_engine(self, path: str) -> str:
        """Where a file or folder of ours lies on the engine's machine.

        Raises:
            UserError: in the container itself, where the engine shows it to no other one.
        """
        for here, there in self.mounts:
            if path == here or path.startswith(f"{here.rstrip('/')}/"):
                return there + path[len(here) :]
        raise UserError(
            f"{path} is in the container that Swath runs in, and the Docker engine cannot show it to another one",
            hint="let the repository lie in a volume or a folder of the machine, or use --runtime process",
        )


def container_id(mounts: str) -> str | None:
    """The id of the container whose /proc/self/mountinfo has this text; None: it is that of no container."""
    found = _ID.search(mounts)
    return found[1] if found else None


def own_container(api: APIClient) -> OwnContainer | None:
    """Our container; None: we are in none, or in one of another engine."""
    identifier = container_id(_MOUNTS.read_text(errors="replace")) if _MOUNTS.exists() else None
    if identifier is None:
        return None
    try:
        known = api.inspect_container(identifier)
    except errors.NotFound:
        return None
    mounts = [(str(each["Destination"]), str(each["Source"])) for each in known["Mounts"] if each.get("Source")]
    return OwnContainer(identifier, str(known["Image"]), tuple(sorted(mounts, reverse=True)))


def start_sentinel(api: APIClient, own: OwnContainer, name: str, socket: str, label: str) -> None:
    """Start the container that removes others when ours has ended; it has our image, and Python from there.

    Args:
        name: of the new container.
        socket: the engine's, as we see it.
        label: of the containers to remove.

    Raises:
        UserError: the socket is no file of the engine's machine.
        DockerException: the engine does not start it.
    """
    engine = types.Mount(target=_SOCKET, source=own.on_engine(socket), type="bind")
    program = [sys.executable, "-I", "-S", sentinel.__file__, _SOCKET, own.identifier, label]
    host = api.create_host_config(
        mounts=[engine],
        read_only=True,
        network_mode="none",
        cap_drop=["ALL"],
        mem_limit=_SENTINEL_MEMORY,
        pids_limit=_SENTINEL_PIDS,
        auto_remove=True,
    )
    made = api.create_container(own.image, entrypoint=program, name=name, user="0:0", host_config=host)
    try:
        api.start(made)
    except errors.APIError:  # such as: a Python that a volume holds
        with contextlib.suppress(errors.NotFound):
            api.remove_container(made, force=True)
        raise
