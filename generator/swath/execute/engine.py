"""The Docker engine: the one place that talks to it through the SDK, and translates the SDK's exceptions.

`Engine` connects, knows what kind of engine it is, and gets images (pulled by digest, or built by recipe); `follow.py`
runs containers with its `api`. Imported only when a container is really to be started: the SDK takes 0.3 s to load.
"""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import docker
import requests
import urllib3
from docker import errors

from swath.errors import InterruptedRunError, PassingFaultError, UserError
from swath.execute.own_container import own_container, start_sentinel
from swath.execute.reach import engine_address

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from docker.api.client import APIClient

_POOL_SIZE: Final = 64
_REQUEST_TIMEOUT_S: Final = 120
_POLL_S: Final = 0.1
# What the engine says (in errors with HTTP codes that tell little) when a later attempt may succeed.
PASSING: Final = re.compile(
    r"connection (?:refused|reset|timed out)|i/o timeout|no such host|temporary failure|tls handshake|deadline exceeded"
    r"|unexpected eof|toomanyrequests|too many requests|no space left|service unavailable|bad gateway|internal server"
    r"|network is unreachable|server misbehaving|could not resolve|name resolution|read timed out|connect timeout",
    re.IGNORECASE,
)
# What the SDK and what it stands on raise.
FOREIGN: Final = (
    errors.DockerException,
    errors.StreamParseError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)
_NO_GPU: Final = "install the NVIDIA Container Toolkit on this machine, or ask for no GPU"
_NO_PATH: Final = (
    "the engine does not see this machine's folders: with a remote engine, or one outside of the container that we are "
    "in, mount the repository there at the same path, or use --runtime process"
)
_NO_PROGRAM: Final = "see `entrypoint` in its service.yaml: the program must be in the image, and executable"
_REMEDIES: Final = (
    (re.compile(r"could not select device driver|nvidia-container|unknown runtime", re.IGNORECASE), _NO_GPU),
    (re.compile(r"bind source path does not exist", re.IGNORECASE), _NO_PATH),
    (re.compile(r"executable file not found|no such file or directory|permission denied", re.IGNORECASE), _NO_PROGRAM),
)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What kind of engine it is.

    Attributes:
        rootless: it runs as the caller: root in a container is the caller outside.
        remaps_users: it gives containers other user ids (userns-remap).
        selinux: files need a label, or the container none.
        cpus: processor cores it has.
    """

    rootless: bool
    remaps_users: bool
    selinux: bool
    cpus: int


class Engine:
    """A connection to the engine. Thread-safe."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.address = engine_address(environ)
        with translated(self.address):
            if environ.get("DOCKER_HOST"):
                client = docker.from_env(
                    version="auto", timeout=_REQUEST_TIMEOUT_S, max_pool_size=_POOL_SIZE, environment=dict(environ)
                )
            else:
                client = docker.DockerClient(
                    base_url=self.address, version="auto", timeout=_REQUEST_TIMEOUT_S, max_pool_size=_POOL_SIZE
                )
            info = client.info()
            self.own = own_container(client.api)
        self.api: APIClient = client.api
        options = " ".join(info.get("SecurityOptions") or ())
        self.facts = EngineFacts(
            rootless="name=rootless" in options,
            remaps_users="name=userns" in options,
            selinux="name=selinux" in options,
            cpus=int(info.get("NCPU") or 1),
        )

    def close(self) -> None:
        """Close the connections."""
        self.api.close()

    def path(self, path: str) -> str:
        """Where a file or folder of this machine lies for the engine.

        Raises:
            UserError: in our own container, where the engine cannot mount it from.
        """
        return self.own.on_engine(path) if self.own else path

    def image(self, reference: str) -> str | None:
        """The id of what the engine has under this name, digest or id; None: nothing."""
        with translated(self.address):
            try:
                found = self.api.inspect_image(_without_tag(reference))  # type: ignore[no-untyped-call] # types-docker
            except errors.ImageNotFound:
                return None
        return str(found["Id"])

    def pull(self, reference: str, stop: threading.Event, environ: Mapping[str, str] | None = None) -> None:
        """Fetch an image from its registry.

        Args:
            reference: the image's name.
            stop: ends it when set.
            environ: GitLab's variables for its own registry; where they are not, what `docker login` wrote counts.

        Raises:
            InterruptedRunError: `stop` was set.
            UserError: the registry has no such image, or does not give it to us.
            PassingFaultError: the registry does not answer.
        """
        try:
            with translated(self.address):
                login = _gitlab_login(reference, environ or {})
                for line in self.api.pull(_without_tag(reference), stream=True, decode=True, auth_config=login):
                    if stop.is_set():
                        raise InterruptedRunError(f"stopped while the image {reference} was pulled")
                    if "error" in line:
                        raise errors.APIError(str(line["error"]))
        except (UserError, PassingFaultError) as error:
            if PASSING.search(str(error)):
                raise PassingFaultError(f"the image {reference} could not be pulled: {_first_line(error)}") from error
            raise UserError(
                f"the image {reference} could not be pulled: {_first_line(error)}",
                hint="see `image.reference` in its service.yaml; a private registry needs `docker login` first",
            ) from error

    def containers(self, labels: list[str]) -> list[str]:
        """The ids of the containers, running or not, that have all these labels."""
        with translated(self.address):
            found = self.api.containers(all=True, filters={"label": labels})
        return [str(item["Id"]) for item in found]

    def remove(self, container: str) -> None:
        """Kill and remove a container, be it there or not."""
        with translated(self.address), contextlib.suppress(errors.NotFound):
            try:
                self.api.remove_container(container, v=True, force=True)
            except errors.APIError as error:
                if error.status_code != requests.codes.conflict:
                    raise
                self._wait_until_gone(container)  # somebody else is just removing it

    @contextlib.contextmanager
    def guarding(self, label: str, name: str) -> Iterator[None]:
        """Have the containers with this label removed when our own container ends, however it ends.

        Args:
            name: of the container that does it; there is none where we are in no container, or may not start it.
        """
        address = urlsplit(self.address)
        if self.own is None or address.scheme != "unix":
            yield
            return
        with contextlib.suppress(UserError, PassingFaultError), translated(self.address):
            start_sentinel(self.api, self.own, name, address.path, label)
        try:
            yield
        finally:
            with contextlib.suppress(UserError, PassingFaultError):  # it ends with our container
                self.remove(name)

    def _wait_until_gone(self, container: str) -> None:
        """Wait while another one's removal goes on; until then, its mounts are in use."""
        until = time.monotonic() + _REQUEST_TIMEOUT_S
        while time.monotonic() < until:
            self.api.inspect_container(container)  # raises NotFound at the end
            time.sleep(_POLL_S)


@contextlib.contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the SDK's exceptions into ours.

    Raises:
        UserError: the engine refuses what it was asked for, or this user.
        PassingFaultError: the engine does not answer, or failed.
    """
    try:
        yield
    except errors.APIError as error:
        text = _explanation(error)
        remedy = next((remedy for pattern, remedy in _REMEDIES if pattern.search(text)), "")
        if PASSING.search(text) or (error.is_server_error() and not remedy):
            raise PassingFaultError(f"the Docker engine: {text}") from error
        raise UserError(f"the Docker engine: {text}", hint=remedy) from error
    except FOREIGN as error:
        if "permission denied" in str(error).lower():
            raise UserError(
                f"no permission to use the Docker engine at {address}", hint="add yourself to the group docker"
            ) from error
        raise PassingFaultError(f"the Docker engine at {address} does not answer: {_first_line(error)}") from error


def _gitlab_login(reference: str, environ: Mapping[str, str]) -> dict[str, str] | None:
    """Name and password for an image of GitLab's own registry in a job; None: it is another's, or this is no job."""
    user, password = environ.get("CI_REGISTRY_USER"), environ.get("CI_REGISTRY_PASSWORD")
    is_its = reference.startswith(f"{environ.get('CI_REGISTRY') or ' '}/")
    return {"username": user, "password": password} if is_its and user and password else None


def _without_tag(reference: str) -> str:
    """``name@sha256:…`` of ``name:tag@sha256:…``: the digest alone decides."""
    name, at, digest = reference.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}" if at else reference


def _explanation(error: errors.APIError) -> str:
    explanation = error.explanation
    return str(explanation or error).strip()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
