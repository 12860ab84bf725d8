"""The runtime `docker`, for which `process` stands in when an image cannot be fetched and nobody asked for docker.

Chosen by ``auto`` for services that say how to run in both. A registry or hub that does not answer is no reason to stop
then; a Dockerfile that is wrong is. Why another runtime stands in is said once for each service.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from swath.errors import PassingFaultError

if TYPE_CHECKING:
    from typing import BinaryIO

    from swath.execute.container import DockerRuntime
    from swath.execute.runtime import Runtime
    from swath.model.invocation import Invocation, Outcome, RuntimeName
    from swath.model.service import Service

_LOCK = threading.Lock()
_SHOWN_CHARACTERS = 400


class ImageOrProcess:
    """Runs services in containers, or, without their images, as processes. Thread-safe.

    Args:
        docker: what is wanted.
        process: what stands in.
        unfetched: names of the services whose images could not be had in this process; grows.
    """

    def __init__(self, docker: DockerRuntime, process: Runtime, unfetched: set[str]) -> None:
        self._docker, self._process, self._unfetched = docker, process, unfetched

    @property
    def name(self) -> RuntimeName:
        """``docker``, which it is as long as there are images."""
        return self._docker.name

    def problem(self, service: Service) -> str | None:
        """Why the service cannot run here."""
        return self._docker.problem(service)

    def run(self, invocation: Invocation, log: BinaryIO | None, stop: threading.Event) -> Outcome:
        """Run the service once."""
        service = invocation.service.name
        if service not in self._unfetched:
            try:
                self._docker.fetch_image(invocation, log, stop)
            except PassingFaultError as error:
                if "no space left" in str(error):
                    raise
                self._say(service, error)
        runtime = self._process if service in self._unfetched else self._docker
        return runtime.run(invocation, log, stop)

    def _say(self, service: str, error: PassingFaultError) -> None:
        """Say once why the service runs without its image."""
        with _LOCK:
            if service in self._unfetched:
                return
            self._unfetched.add(service)
        reason = str(error).strip()
        shown = reason if len(reason) <= _SHOWN_CHARACTERS else f"… {reason[-_SHOWN_CHARACTERS:]}"
        sys.stderr.write(
            f"swath: the service {service} runs as a process, because its image is not to be had: {shown}\n"
            "  to insist on containers: --runtime docker; for another base image: SWATH_BUILD_ARG_BASE\n"
        )
        sys.stderr.flush()
