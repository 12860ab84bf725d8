"""An isolated Python environment per content: the service's requirements, the interpreter and the platform.

    <cache>/envs/<hash>/            one environment; it is complete, or not there
    <cache>/envs/<hash>.lock        held while it is made
    <cache>/envs/<hash>.<pid>.tmp   while it is made

Check, take the lock, check again, build under another name, rename into place: several processes may ask for the same
environment at once, and one that is killed leaves nothing that looks finished. Called by `execute/process.py`.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import sys
from _blake2 import blake2b  # hashlib would load OpenSSL: 4 ms before every service
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from swath.errors import InterruptedRunError, PassingFaultError, Place, UserError
from swath.execute.child import Child, run_child
from swath.execute.environment import installer_environment
from swath.files.removal import remove

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

CACHE_VARIABLE: Final = "SWATH_CACHE_DIR"
_FORM: Final = "1"  # of what an environment holds; another number makes all of them anew
_INCLUDE: Final = re.compile(r"^\s*(?:-r|-c|--requirements?|--constraints?)[\s=]+(\S+)", re.MULTILINE)
_LOCAL: Final = re.compile(r"^\s*(?:(?:-e|--editable)\b|\.{0,2}/|file:|\S+\s*@\s*file:)", re.MULTILINE)
_NETWORK_TROUBLE: Final = (
    r"(?i)error sending request|dns error|timed out|connection (?:refused|reset|closed)|network is unreachable"
    r"|failed to lookup address|status (?:code )?(?:429|5\d\d)|\b(?:429 too many|50[0-4] )|client error \(connect\)"
)
_NO_SPACE: Final = r"(?i)no space left on device|os error 28|disk quota exceeded"
_LAST_LINES: Final = 20
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class PythonEnvironment:
    """What an environment is made from, and where it goes.

    Attributes:
        requirements: requirements files, absolute; later ones only add.
        version: of Python, such as ``3.11``.
        folder: the environment's place, whether it is made yet or not.
    """

    requirements: tuple[Path, ...]
    version: str
    folder: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin" / "python"

    def is_made(self) -> bool:
        """Whether it is there and its base interpreter still is."""
        return self.python.exists()


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where Swath keeps what it can make again: SWATH_CACHE_DIR, else ``swath`` in the user's cache folder."""
    if environment.get(CACHE_VARIABLE):
        return Path(environment[CACHE_VARIABLE]).absolute()
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "swath"


def python_environment(requirements: Sequence[Path], version: str | None, cache: Path) -> PythonEnvironment:
    """The environment for some requirements; makes nothing.

    Args:
        requirements: requirements files.
        version: of Python; None: that which runs Swath.
        cache: Swath's cache folder.

    Raises:
        UserError: a file cannot be read, or names packages by local paths, whose content the hash would not see.
    """
    wanted = version or f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = blake2b(digest_size=16)
    for part in (_FORM, wanted, sys.implementation.name, sys.platform, platform.machine(), *platform.libc_ver()[:1]):
        digest.update(part.encode() + b"\0")
    for file in requirements:
        for text in _texts(file, set()):
            digest.update(text.encode() + b"\0")
    return PythonEnvironment(tuple(requirements), wanted, cache / "envs" / digest.hexdigest())


def make_environment(
    wanted: PythonEnvironment, environment: Mapping[str, str], log: BinaryIO | None, stop: threading.Event
) -> None:
    """Make the environment, unless it is there; waits while another process makes it.

    Args:
        wanted: which one.
        environment: variables for uv: the proxy, the index, its cache.
        log: where uv's words go when it fails; None: into the error alone.
        stop: when it is set, uv is ended.

    Raises:
        UserError: the requirements cannot be met.
        PassingFaultError: the network failed, or the disk is full.
        InterruptedRunError: `stop` was set.
    """
    if wanted.is_made():
        with suppress(OSError):  # not ours: whoever made it cleans it
            os.utime(wanted.folder)  # `swath gc` removes what nobody has used for long
        return
    wanted.folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(wanted.folder.with_name(f"{wanted.folder.name}.lock"), stop):
        if wanted.is_made():
            return
        for left in wanted.folder.parent.glob(f"{wanted.folder.name}*.tmp"):  # of a killed process: we hold the lock
            remove(left)
        temporary = wanted.folder.with_name(f"{wanted.folder.name}.{os.getpid()}.tmp")
        try:
            _build(wanted, temporary, environment, log, stop)
            remove(wanted.folder)  # one whose interpreter is gone
            temporary.rename(wanted.folder)
        except OSError as error:
            raise PassingFaultError(f"cannot make the environment {wanted.folder}: {error.strerror}") from error
        finally:
            remove(temporary)


def _texts(file: Path, seen: set[Path]) -> Iterator[str]:
    """The text of a requirements file and of all that it includes."""
    if file in seen:
        return
    seen.add(file)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the requirements: {error}", place=Place(str(file))) from error
    local = _LOCAL.search(text)
    if local:
        line = text.count("\n", 0, local.end()) + 1
        hint = "name packages of an index, so that the file says all that is in the environment"
        raise UserError("a local path stands in the requirements", place=Place(str(file), line), hint=hint)
    yield text
    for include in _INCLUDE.finditer(text):
        yield from _texts((file.parent / include[1]).resolve(), seen)


@contextmanager
def _locked(path: Path, stop: threading.Event) -> Iterator[None]:
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop.wait(_LOOK_S):
                    raise InterruptedRunError("stopped while another process made the environment") from None
        yield


def _build(
    wanted: PythonEnvironment,
    folder: Path,
    environment: Mapping[str, str],
    log: BinaryIO | None,
    stop: threading.Event,
) -> None:
    import uv

    program = uv.find_uv_bin()
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = sys.executable if wanted.version == own else wanted.version
    files = [word for file in wanted.requirements for word in ("--requirements", str(file))]
    venv = [program, "venv", "--quiet", "--relocatable", "--no-project", "--python", interpreter, str(folder)]
    install = [program, "pip", "install", "--quiet", "--python", str(folder), "--compile-bytecode", *files]
    for argv in (venv, install):
        _run_uv(wanted, Child(argv, folder.parent, installer_environment(environment)), log, stop)


def _run_uv(wanted: PythonEnvironment, child: Child, log: BinaryIO | None, stop: threading.Event) -> None:
    import tempfile

    with tempfile.TemporaryFile() as output:
        outcome = run_child(child, output, stop)
        if outcome.exit_code == 0:
            return
        output.seek(0)
        said = output.read()
    if stop.is_set():
        raise InterruptedRunError("stopped while the environment was made")
    if log is not None:
        log.write(said)
    last = "\n".join(f"  {line}" for line in said.decode(errors="replace").strip().splitlines()[-_LAST_LINES:])
    files = ", ".join(map(str, wanted.requirements))
    message = f"uv could not make an environment with Python {wanted.version} from {files}:\n{last or outcome.reason}"
    if re.search(_NETWORK_TROUBLE, last) or re.search(_NO_SPACE, last):
        raise PassingFaultError(message)
    raise UserError(message, hint="correct the requirements, or `process` in service.yaml")
