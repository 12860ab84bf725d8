"""A DVC remote on a real SSH server: OpenSSH in a container, on a port of the loopback, for an ordinary user.

The container shares the host's network, so other containers that do so too, and the host, reach it under the same
address. What lies in it is seen from here as a folder.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from support.network import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE: Final = "swath-test/sshd:1"
USER: Final = "dvc"
_START_TIMEOUT_S: Final = 30
_START: Final = """\
set -e
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/key
printf 'dvc:%s\\n' "$PASSWORD" | chpasswd -c SHA512
unset PASSWORD
exec /usr/sbin/sshd -D -e -f /dev/null -o ListenAddress=127.0.0.1 -o "Port=$PORT" -o HostKey=/etc/ssh/key -o UsePAM=no \\
    -o AllowUsers=dvc -o 'Subsystem=sftp internal-sftp' -o MaxStartups=200 -o MaxSessions=200 -o UseDNS=no -o StrictModes=no
"""


@dataclass(frozen=True)
class RemoteServer:
    """An SSH server that runs.

    Attributes:
        port: of the loopback.
        folder: what the server's /srv is on this machine.
    """

    container: str
    port: int
    password: str
    folder: Path

    def url(self, name: str = "remote", port: int | None = None) -> str:
        """The address of a DVC remote there; without user and password."""
        return f"ssh://{LOOPBACK}:{port or self.port}/srv/{name}"

    def dvc_config(self, remote: str = "origin", url: str | None = None) -> str:
        """The text of a DVC config file with what the repository does not say: user, password, maybe another address."""
        address = f"    url = {url}\n" if url else ""
        return f"['remote \"{remote}\"']\n{address}    user = {USER}\n    password = {self.password}\n"

    def stop(self) -> None:
        """Stop the server at once; connections end."""
        _docker("stop", "--time", "0", self.container)

    def start(self) -> None:
        """Start it again after `stop`."""
        _docker("start", self.container)
        _wait(self.port)


@pytest.fixture(scope="session")
def remote_server(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteServer]:
    """An SSH server for the session; each test takes a folder of its own in it."""
    with serve(tmp_path_factory.mktemp("ssh-remote")) as server:
        yield server


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[RemoteServer]:
    """An SSH server whose /srv is `folder`."""
    folder.chmod(0o777)
    port, password = free_port(), secrets.token_urlsafe(12)
    container = _docker(
        "run", "--detach", "--network=host", "--init", f"--env=PORT={port}", f"--env=PASSWORD={password}",
        f"--volume={folder}:/srv", IMAGE, "sh", "-c", _START,
    )  # fmt: skip
    try:
        _wait(port)
        yield RemoteServer(container, port, password, folder)
    finally:
        _docker("rm", "--force", "--volumes", container)


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        return int(free.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + _START_TIMEOUT_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=5) as connection:
            if connection.recv(3) == b"SSH":
                return
        assert time.monotonic() < until, f"no SSH server at port {port}"
        time.sleep(0.05)


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()
