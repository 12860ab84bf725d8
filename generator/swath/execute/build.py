"""Builds a service's image on the Docker engine, once per tag however many stages ask for it at the same time.

BuildKit builds when a docker command that has it is on PATH (Dockerfiles with `RUN --mount` need it), else the SDK's
older builder. A lock per tag holds within the process and between processes. Called by `execute/container.py`.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import functools
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from swath.errors import InterruptedRunError, PassingFaultError, UserError
from swath.execute.engine import PASSING, translated
from swath.execute.image import recipe_for, write_context
from swath.load.settings import known_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from swath.execute.engine import Engine
    from swath.execute.image import Recipe
    from swath.model.invocation import Invocation

_TAIL_LINES: Final = 30
_POLL_S: Final = 0.2
_EMBEDDED_BUILDKIT_BEFORE: Final = 23  # Docker 23 moved the command's BuildKit client to the plugin buildx


def image_for(
    engine: Engine, invocation: Invocation, environ: Mapping[str, str], log: BinaryIO | None, stop: threading.Event
) -> str:
    """The id of the image that `invocation` runs in: pulled or built when the engine does not have it.

    Raises:
        UserError: there is no such image, or it cannot be built.
        PassingFaultError: the registry or the network did not answer, or no space is left.
        InterruptedRunError: `stop` was set.
    """
    service = invocation.service
    gpus = bool(invocation.gpus or invocation.resources.gpus)
    reference = service.image.chosen(gpus=gpus)[1].reference if service.image else None
    if reference is None:
        recipe = recipe_for(service, invocation.folder, invocation.root, gpus=gpus, environ=environ)
        return built_image(engine, recipe, environ, log, stop, root=invocation.root)
    found = engine.image(reference)
    if not found:
        engine.pull(reference, stop, environ)
        found = engine.image(reference)
    if not found:
        raise PassingFaultError(f"the image {reference} was pulled, but the engine does not have it")
    return found


def built_image(
    engine: Engine,
    recipe: Recipe,
    environ: Mapping[str, str],
    log: BinaryIO | None,
    stop: threading.Event,
    *,
    root: Path,
) -> str:
    """The id of the image of `recipe`, built when neither the engine nor the registry has it.

    Args:
        root: the repository's, whose swath.yaml names the registry.

    Raises:
        UserError: the build failed; the end of its log is in the message.
        PassingFaultError: the build failed for want of a network, a registry or space.
        InterruptedRunError: `stop` was set.
    """
    if found := engine.image(recipe.tag):
        return found
    with _locked(recipe.tag, environ, stop), tempfile.TemporaryFile() as context:
        if found := engine.image(recipe.tag) or _published(engine, recipe, environ, stop, root):
            return found
        write_context(recipe, context)
        context.seek(0)
        command = buildkit_command(environ.get("PATH", os.defpath))
        if command:
            settings = {**environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain", "DOCKER_HOST": engine.address}
            lines = _build_with_command([command, *_build_words(recipe)], settings, context, stop)
        else:
            lines = _build_with_sdk(engine, recipe, context, stop)
        _follow_build(recipe, lines, log)
        found = engine.image(recipe.tag)
    if not found:
        raise PassingFaultError(f"the image {recipe.tag} was built, but the engine does not have it")
    return found


def _published(
    engine: Engine, recipe: Recipe, environ: Mapping[str, str], stop: threading.Event, root: Path
) -> str | None:
    """The id of the same image as CI has pushed it; None when no registry is known, or none gives it to us."""
    registry = known_registry(root, environ)
    if not registry:
        return None
    name = recipe.published(registry)
    if found := engine.image(name):
        return found
    with contextlib.suppress(UserError, PassingFaultError):  # then it is built here
        engine.pull(name, stop, environ)
    return engine.image(name)


class _BuildFailedError(Exception):
    """The builder said no; what it said went before."""


def _follow_build(recipe: Recipe, lines: Iterator[str], log: BinaryIO | None) -> None:
    tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
    try:
        for line in lines:
            tail.append(line)
            if log:
                log.write(f"{line}\n".encode())
                log.flush()
    except _BuildFailedError as error:
        said = "\n".join(f"    {line}" for line in tail)
        message = f"the image of the service {recipe.service} could not be built from {recipe.dockerfile}:\n{said}"
        if PASSING.search(said):
            raise PassingFaultError(message) from error
        raise UserError(message, hint=f"see services/{recipe.service}/{recipe.dockerfile}") from error


def _build_words(recipe: Recipe) -> list[str]:
    arguments = [f"--build-arg={key}={value}" for key, value in sorted(recipe.build_args.items())]
    return [
        "build", f"--tag={recipe.tag}", f"--file={recipe.dockerfile}", f"--label=swath.service={recipe.service}",
        *arguments, "-",
    ]  # fmt: skip


def _build_with_command(
    words: list[str], environment: Mapping[str, str], context: IO[bytes], stop: threading.Event
) -> Iterator[str]:
    """Run `docker build` with the context on stdin; gives its lines."""
    with subprocess.Popen(
        words, stdin=context, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, start_new_session=True
    ) as process:
        ended = threading.Event()
        killer = threading.Thread(target=_kill_when_told, args=(process, stop, ended), daemon=True)
        killer.start()
        try:
            for line in process.stdout or ():
                yield line.decode(errors="replace").rstrip()
            _check(stop)
            if process.wait():
                raise _BuildFailedError
        finally:
            ended.set()
            killer.join()


def _kill_when_told(process: subprocess.Popen[bytes], stop: threading.Event, ended: threading.Event) -> None:
    """Kill the docker command when the caller stops, or gives up; it does not heed SIGTERM while a step runs."""
    while not ended.wait(_POLL_S) and not stop.is_set():
        continue
    if process.poll() is None:
        process.kill()


def _build_with_sdk(engine: Engine, recipe: Recipe, context: IO[bytes], stop: threading.Event) -> Iterator[str]:
    """Let the engine's older builder build; gives its lines."""
    with translated(engine.address):
        steps = engine.api.build(
            fileobj=context, custom_context=True, tag=recipe.tag, dockerfile=recipe.dockerfile, rm=True, forcerm=True,
            buildargs=dict(recipe.build_args), labels={"swath.service": recipe.service}, decode=True,
        )  # fmt: skip
        for step in steps:
            _check(stop)
            text = str(step.get("stream") or step.get("status") or step.get("error") or "").rstrip()
            if text:
                yield text
            if "error" in step:
                if "the --mount option requires BuildKit" in text:
                    yield "install a docker command with BuildKit (Debian: docker.io or docker-buildx)"
                raise _BuildFailedError


@functools.cache
def buildkit_command(path: str) -> str | None:
    """The first docker command on `path` that can build with BuildKit; None when there is none."""
    for folder in path.split(os.pathsep):
        command = Path(folder or ".", "docker")
        if not os.access(command, os.X_OK):
            continue
        if _says([str(command), "buildx", "version"]):
            return str(command)
        major = _says([str(command), "version", "--format", "{{.Client.Version}}"]).partition(".")[0]
        if major.isdigit() and int(major) < _EMBEDDED_BUILDKIT_BEFORE:
            return str(command)
    return None


def _says(words: list[str]) -> str:
    """The first line that a command prints, also when it fails afterwards for want of an engine; else nothing."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout.strip().partition("\n")[0]
    return ""


@contextlib.contextmanager
def _locked(tag: str, environ: Mapping[str, str], stop: threading.Event) -> Iterator[None]:
    """Hold the lock of one tag, against threads and processes of this user."""
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or tempfile.gettempdir(), ".cache")
    folder = Path(home, "swath", "locks")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / tag.replace("/", "-").replace(":", "-")).open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _check(stop)
                time.sleep(_POLL_S)
        yield


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise InterruptedRunError("stopped while an image was built")
