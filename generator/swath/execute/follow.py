"""One container from its start to its end: its output into the log, its limits kept, its figures taken.

The caller's thread waits; one more thread copies the output. The container is removed on every way out. Called by
`execute/container.py`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import requests
from docker import errors, types
from docker.utils.socket import frames_iter

from swath.errors import PassingFaultError
from swath.execute.diagnose import TAIL_BYTES
from swath.execute.engine import translated
from swath.limits import SERVICE_STOP_S
from swath.model.echoed_log import EchoedLog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from swath.execute.engine import Engine
    from swath.execute.sandbox import Sandbox
    from swath.model.invocation import EndedBy

_LOGGER: Final = logging.getLogger(__name__)
GRACE_S: Final = 10
_POLL_S: Final = 0.1
_FIGURES_EVERY_S: Final = 1.0
_STDERR: Final = 2
_RUNNING: Final = -1


@dataclass(slots=True)
class Ended:
    """How a container ended.

    Attributes:
        exit_code: of its first process.
        ended_by: who ended it; ``memory`` is the kernel's, and told by `is_out_of_memory` alone.
        is_out_of_memory: the kernel killed a process in it for its memory limit.
        tail: the end of its output.
    """

    exit_code: int = _RUNNING
    ended_by: EndedBy = "itself"
    is_out_of_memory: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    tail: str = ""


def run_container(
    engine: Engine,
    name: str,
    sandbox: Sandbox,
    log: BinaryIO | None,
    *,
    timeout_s: float | None,
    stop: threading.Event,
) -> Ended:
    """Make, start, follow and remove one container.

    Raises:
        UserError: the engine cannot start it as it is asked for.
        PassingFaultError: the engine did not answer.
    """
    ended = Ended()
    try:
        with translated(engine.address):
            container = _create(engine, name, sandbox)
            output = _Output(engine, container, log)
        try:
            began = time.monotonic()
            with translated(engine.address):
                engine.api.start(container)
                output.start()
                _attend(engine, output, ended, None if timeout_s is None else began + timeout_s, stop)
                ended.wall_s = time.monotonic() - began
                state = engine.api.inspect_container(container)["State"]
            ended.exit_code = int(state["ExitCode"])
            ended.is_out_of_memory = bool(state.get("OOMKilled"))
        finally:
            if ended.exit_code == _RUNNING:  # on the way out: its end lets the copying end
                engine.remove(name)
            output.close()
        ended.tail = output.tail()
    finally:
        engine.remove(name)
    return ended


def _create(engine: Engine, name: str, sandbox: Sandbox) -> str:
    api = engine.api
    host = api.create_host_config(
        mounts=[
            types.Mount(target=bind.target, source=engine.path(bind.source), type="bind", read_only=bind.read_only)
            for bind in sandbox.binds
        ],
        read_only=True,
        init=True,
        network_mode=None if sandbox.network else "none",
        extra_hosts={"host.docker.internal": "host-gateway"} if sandbox.network else None,
        cap_drop=["ALL"],
        cap_add=list(sandbox.capabilities),
        security_opt=list(sandbox.security),
        group_add=list(sandbox.groups),
        userns_mode=sandbox.userns,
        nano_cpus=None if sandbox.cpus is None else int(sandbox.cpus * 1e9),
        mem_limit=sandbox.memory,
        memswap_limit=sandbox.memory,
        shm_size=sandbox.shm,
        pids_limit=sandbox.pids,
        device_requests=[types.DeviceRequest(device_ids=list(sandbox.gpus), capabilities=[["gpu"]])]
        if sandbox.gpus
        else None,
        log_config=types.LogConfig(type="none"),
    )
    made = api.create_container(
        sandbox.image,
        entrypoint=[sandbox.command[0]],
        command=list(sandbox.command[1:]),
        name=name,
        environment=dict(sandbox.environment),
        user=sandbox.user,
        working_dir=sandbox.workdir,
        labels=dict(sandbox.labels),
        host_config=host,
    )
    for warning in made.get("Warnings") or ():  # such as: this kernel has no memory limits for rootless engines
        _LOGGER.warning("the Docker engine: %s", warning)
    return str(made["Id"])


def _attend(engine: Engine, output: _Output, ended: Ended, deadline: float | None, stop: threading.Event) -> None:
    """Wait for the end; bring it about when the deadline has passed or the caller says so."""
    container = output.container
    next_figures = time.monotonic()
    while not _has_ended(engine, output):
        now = time.monotonic()
        why: EndedBy = "stop" if stop.is_set() else "timeout"
        if why == "stop" or (deadline is not None and now >= deadline):
            if _end(engine, output, GRACE_S if why == "timeout" else min(GRACE_S, SERVICE_STOP_S)):
                ended.ended_by = why
            return
        if now >= next_figures:
            _take_figures(engine, container, ended)
            next_figures = now + _FIGURES_EVERY_S


def _has_ended(engine: Engine, output: _Output) -> bool:
    """Wait a moment; tells whether the container has ended. Its output ends first, or breaks off."""
    if not output.finished.wait(_POLL_S):
        return False
    if engine.api.inspect_container(output.container)["State"]["Running"]:
        time.sleep(_POLL_S)
        return False
    return True


def _end(engine: Engine, output: _Output, grace_s: float) -> bool:
    """SIGTERM, and SIGKILL after the grace; whether that was what ended it, and not the program itself just before."""
    if not _signal(engine, output.container, "SIGTERM"):
        return False
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        if _has_ended(engine, output):
            return True
    _signal(engine, output.container, "SIGKILL")
    with contextlib.suppress(errors.NotFound):
        engine.api.wait(output.container, timeout=GRACE_S)
    return True


def _signal(engine: Engine, container: str, name: str) -> bool:
    """Send a signal; whether there was somebody to get it."""
    try:
        engine.api.kill(container, signal=name)
    except errors.NotFound:
        return False
    except errors.APIError as error:
        if error.status_code == requests.codes.conflict:  # it has ended
            return False
        raise
    return True


def _take_figures(engine: Engine, container: str, ended: Ended) -> None:
    """Keep the largest memory and the last processor time that the engine tells; it may tell nothing."""
    with contextlib.suppress(errors.DockerException, requests.RequestException):
        figures = engine.api.stats(container, stream=False, one_shot=True)
        cpu_ns = _number(figures, "cpu_stats", "cpu_usage", "total_usage")
        memory = max(
            _number(figures, "memory_stats", "max_usage"),
            _number(figures, "memory_stats", "usage") - _number(figures, "memory_stats", "stats", "inactive_file"),
        )
        ended.cpu_s = max(ended.cpu_s, cpu_ns / 1e9)
        ended.peak_memory_bytes = max(ended.peak_memory_bytes, memory)


def _number(document: Mapping[str, object], *keys: str) -> int:
    value: object = document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, int) else 0


class _Output:
    """Copies a container's output, and keeps its end."""

    def __init__(self, engine: Engine, container: str, log: BinaryIO | None) -> None:
        self.container = container
        self._log = log
        self._tail = bytearray()
        self._socket = engine.api.attach_socket(container, {"stdout": 1, "stderr": 1, "stream": 1})
        self.finished = threading.Event()
        self._failure: OSError | None = None
        self._echo: dict[int, EchoedLog] = {}
        self._thread = threading.Thread(target=self._copy, name=f"output of {container[:12]}", daemon=True)

    def start(self) -> None:
        """Begin to copy."""
        self._thread.start()

    def _copy(self) -> None:
        try:
            for stream, data in frames_iter(self._socket, tty=False):  # type: ignore[no-untyped-call] # types-docker
                self._tail += data
                del self._tail[:-TAIL_BYTES]
                self._write(stream, data)
        except (OSError, ValueError):  # the connection broke; the container tells itself whether it has ended
            pass
        finally:
            self.finished.set()

    def _write(self, stream: int, data: bytes) -> None:
        standard = sys.stderr if stream == _STDERR else sys.stdout
        target = self._log or standard.buffer
        if self._log is None and standard.buffer.isatty():  # a sandbox whose output commands the terminal is none
            data = self._echo.setdefault(stream, EchoedLog()).feed(data).encode()
        try:
            target.write(data)
            target.flush()
        except OSError as error:  # no space: the service goes on, and the stage fails at its end
            self._failure = error

    def tail(self) -> str:
        """The end of the output.

        Raises:
            PassingFaultError: the log could not be written.
        """
        if self._failure:
            raise PassingFaultError(f"the service's log could not be written: {self._failure.strerror}")
        return self._tail.decode(errors="replace")

    def close(self) -> None:
        """Let the copying end, and close the connection."""
        if self._thread.is_alive():
            self._thread.join(timeout=GRACE_S)
        response = getattr(self._socket, "_response", None)
        for connection in (response, self._socket):
            with contextlib.suppress(OSError, ValueError):  # the other one may have closed it
                if connection is not None:
                    connection.close()
