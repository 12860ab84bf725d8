"""The docker runtime: a service in a container that sees only what it declares.

    problem    is an engine there, has the service an image
    run        image -> staging folder -> sandbox -> container -> outputs into the workspace -> outcome

Each process that runs stages has a session (a locked folder, see `staging.py`). A killed runner's containers are
removed at once by a small watchdog process; when its whole container is killed, by a sentinel in another one; and what
those miss, by the next run: `remove_orphans`. The SDK is loaded when the first container starts. Explained in
docs/explanation/runtimes.md.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pwd
import signal
import subprocess
import sys
import threading
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from swath.errors import PassingFaultError, UserError
from swath.execute import diagnose, staging, watchdog
from swath.execute.environment import missing_secrets
from swath.execute.gpus import engine_names
from swath.execute.mounts import REPOSITORY, Bind
from swath.execute.reach import engine_address, why_unreachable
from swath.execute.sandbox import LABEL, Caller, Sandbox, Surroundings, account_files, pids_of, sandbox_for
from swath.model.invocation import EXIT_TEMPORARY, STOPPED, Outcome, exit_code_of, timeout_reason
from swath.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO, Literal

    from swath.execute.engine import Engine
    from swath.execute.follow import Ended
    from swath.execute.staging import Staging
    from swath.model.invocation import Invocation
    from swath.model.service import Service

_NO_PROGRAM: Final = "see `entrypoint` in its service.yaml: the program must be in the image, and executable"
_WATCHDOG_END_S: Final = 10


class DockerRuntime:
    """Runs services in containers. Thread-safe; `close` it, or let it be collected, to end its helper and session.

    Args:
        environ: the caller's environment; None: this process's own, as it is now.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._sessions: dict[Path, staging.Session] = {}
        self._watcher = _Watcher(engine_address(self._environ))
        self._ends = contextlib.ExitStack()
        self._finalizer = weakref.finalize(self, self._ends.close)

    @property
    def name(self) -> Literal["docker"]:
        """The name that users choose it by."""
        return "docker"

    def problem(self, service: Service) -> str | None:
        """Why this service cannot run in a container here, with what to do; None: it can. Starts nothing."""
        if service.image is None or not (service.image.build or service.image.reference):
            return (
                f"the service {service.name} has no image: write `image: {{build: .}}` and a Dockerfile into "
                f"services/{service.name}, or run without Docker: --runtime process"
            )
        return why_unreachable(engine_address(self._environ))

    def run(self, invocation: Invocation, log: BinaryIO | None, stop: threading.Event) -> Outcome:
        """Run the service once, to its end; see `Runtime.run`.

        Raises:
            UserError: the image, an input or what the engine is asked for is wrong.
            PassingFaultError: the registry or the engine does not answer, or no space is left.
            InterruptedRunError: `stop` was set while the image was made, or files were copied.
        """
        from swath.execute.follow import run_container

        engine = self._connected()
        image = self.fetch_image(invocation, log, stop)
        try:
            session = self._session(engine, invocation.root)
            folder = session.new_folder()
            try:
                staged = staging.stage_invocation(invocation, folder, stop)
                sandbox = self._sandbox(engine, invocation, staged, image)
                name = f"{LABEL}-{invocation.service.name}-{session.identifier}-{folder.name}"
                with self._watcher.guarding(name):
                    ended = run_container(engine, name, sandbox, log, timeout_s=invocation.timeout_s, stop=stop)
                if fault := diagnose.why_not_started(ended.tail):
                    name = invocation.service.name
                    raise UserError(f"the program of the service {name} cannot be started: {fault}", hint=_NO_PROGRAM)
                return self._outcome(invocation, staged, ended, log, stop)
            finally:
                staging.discard(folder)
        except OSError as error:
            raise _local_fault(error) from error

    def fetch_image(self, invocation: Invocation, log: BinaryIO | None, stop: threading.Event) -> str:
        """Have the image of an invocation on the engine, pulled or built when it is not there; gives its id.

        Raises:
            UserError: there is no such image, or it cannot be built.
            PassingFaultError: the registry or the engine does not answer, or no space is left.
            InterruptedRunError: `stop` was set while the image was made.
        """
        from swath.execute.build import image_for

        return image_for(self._connected(), invocation, self._environ, log, stop)

    def close(self) -> None:
        """End the watchdog, remove the sessions' folders, close the connection."""
        self._finalizer()

    def _connected(self) -> Engine:
        from swath.execute.engine import Engine

        with self._lock:
            if self._engine is None:
                self._engine = Engine(self._environ)
                self._ends.callback(self._engine.close)
                self._ends.callback(self._watcher.close)
            return self._engine

    def _session(self, engine: Engine, root: Path) -> staging.Session:
        """This process's session in the repository; the first one clears up behind dead ones."""
        with self._lock:
            if root not in self._sessions:
                _clear(engine, root)
                session = self._sessions[root] = staging.Session(root)
                self._ends.callback(session.close)
                label, name = f"{LABEL}.session={session.identifier}", f"{LABEL}-sentinel-{session.identifier}"
                self._ends.enter_context(engine.guarding(label, name))
            return self._sessions[root]

    def _sandbox(self, engine: Engine, invocation: Invocation, staged: Staging, image: str) -> Sandbox:
        caller = _caller()
        binds = []
        for target, text in account_files(caller, rootless=engine.facts.rootless).items():
            source = staged.folder / Path(target).name
            source.write_text(text)
            source.chmod(0o644)
            binds.append(Bind(str(source), target))
        labels = {
            "repository": repository_label(invocation.root),
            "session": staged.folder.parent.name,
            "pid": str(os.getpid()),
            "service": invocation.service.name,
            "stage": invocation.environment.get("DVC_STAGE", ""),
        }
        surroundings = Surroundings(caller=caller, environ=self._environ, binds=tuple(binds), labels=labels)
        sandbox = sandbox_for(invocation, staged.layout, image, engine.facts, surroundings)
        return replace(sandbox, gpus=engine_names(sandbox.gpus, self._environ))

    def _outcome(
        self, invocation: Invocation, staged: Staging, ended: Ended, log: BinaryIO | None, stop: threading.Event
    ) -> Outcome:
        reason, ended_by = self._reason(invocation, staged, ended), ended.ended_by
        if ended.is_out_of_memory and ended.exit_code:
            ended_by = "memory" if ended_by == "itself" else ended_by
        exit_code = exit_code_of(ended.exit_code, ended_by)
        if not reason:
            reason = "; ".join(staged.problems())
        if reason:
            exit_code = exit_code or 1
        else:
            _tell_strays(staged, log)
            staged.publish(stop)
        return Outcome(
            exit_code=exit_code,
            reason=reason,
            wall_s=ended.wall_s,
            cpu_s=ended.cpu_s,
            peak_memory_bytes=ended.peak_memory_bytes,
            temporary=exit_code == EXIT_TEMPORARY
            or (bool(reason) and ended_by == "itself" and diagnose.has_no_space(ended.tail)),
            ended_by=ended_by,
        )

    def _reason(self, invocation: Invocation, staged: Staging, ended: Ended) -> str:
        """Why the container failed; empty when its program ended well."""
        if ended.ended_by == "stop":
            return STOPPED
        if ended.ended_by == "timeout":
            return timeout_reason(invocation.timeout_s or 0)
        if ended.exit_code == 0:
            return ""
        memory = invocation.resources.memory
        if ended.is_out_of_memory and memory is not None:
            return f"out of memory: it may use {Size(memory)}; raise `resources: {{memory: ...}}` for this stage"
        said = f"it ended with exit code {ended.exit_code}"
        if ended.exit_code - 128 in set(signal.Signals):
            said = f"it was ended by signal {ended.exit_code - 128} ({signal.Signals(ended.exit_code - 128).name})"
        return "; ".join(part for part in (said, self._advice(invocation, staged, ended)) if part)

    def _advice(self, invocation: Invocation, staged: Staging, ended: Ended) -> str:
        def is_hidden(path: str) -> bool:
            shown = any(
                bind.covers(f"{REPOSITORY}/{path}") for bind in staged.layout.binds if bind.target != REPOSITORY
            )
            is_there = os.path.lexists(invocation.root / path)
            return is_there and not shown and not os.path.lexists(staged.folder / "tree" / path)

        undeclared = diagnose.undeclared_paths(ended.tail, invocation.wdir, is_hidden)
        if undeclared:
            names = ", ".join(undeclared)
            return (
                f"it looked for {names}, which the stage does not declare: "
                f"name it in `deps` and give it to the service as an argument of type file or directory"
            )
        absent = missing_secrets(invocation, self._environ)
        network, pids = invocation.service.network, pids_of(invocation.resources)
        return diagnose.advice(ended.tail, network=network, pids=pids, absent_secrets=absent)


def remove_orphans(root: Path, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Remove the containers and staging folders that killed runners left behind in this repository.

    Args:
        root: the repository's root.
        environ: the caller's environment; None: this process's own.

    Returns:
        The ids of the removed containers.
    """
    from swath.execute.engine import Engine

    engine = Engine(os.environ if environ is None else environ)
    try:
        return _clear(engine, root)
    finally:
        engine.close()


def _clear(engine: Engine, root: Path) -> tuple[str, ...]:
    removed = []
    for session, folder in staging.dead_sessions(root):
        for container in engine.containers([f"{LABEL}.session={session}"]):
            engine.remove(container)
            removed.append(container)
        staging.discard(folder)
    return tuple(removed)


class _Watcher:
    """Our end of the watchdog, which removes the containers on its list when this process is gone. Thread-safe."""

    def __init__(self, address: str) -> None:
        self._lock = threading.Lock()
        self._address = urlsplit(address)
        self._process: subprocess.Popen[str] | None = None

    @contextlib.contextmanager
    def guarding(self, container: str) -> Iterator[None]:
        """Have the container `container` on the list as long as the block runs."""
        self._tell(f"+{container}")
        try:
            yield
        finally:
            self._tell(f"-{container}")

    def _tell(self, line: str) -> None:
        if self._address.scheme != "unix":
            return
        with self._lock, contextlib.suppress(OSError):  # without it, the next run clears up
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", watchdog.__file__, self._address.path],
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
                    start_new_session=True, cwd="/", env={},
                )  # fmt: skip
            if self._process.stdin is not None:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()

    def close(self) -> None:
        """End the watchdog; containers that are still on its list are removed."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_WATCHDOG_END_S)


def _caller() -> Caller:
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "swath"
    return Caller(uid=uid, gid=os.getgid(), groups=tuple(sorted({*os.getgroups()} - {os.getgid()})), name=name)


def repository_label(root: Path) -> str:
    """A repository on this machine, without saying where."""
    return hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]


def _tell_strays(staged: Staging, log: BinaryIO | None) -> None:
    strays = staged.strays()
    if strays:
        text = f"swath: dropped, since they are no outputs of the stage: {', '.join(strays)}\n"
        target = log or sys.stderr.buffer
        target.write(text.encode(errors="backslashreplace"))
        target.flush()


def _local_fault(error: OSError) -> PassingFaultError | UserError:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return PassingFaultError(f"no space is left for the stage's files{where}")
    return UserError(f"the stage's files cannot be put in place: {error.strerror}{where}")
