"""One start of a service, and how it ended. No I/O.

`execute/command.py` makes an `Invocation` from the words of `swath exec`; a runtime of `execute/` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from swath.model.service import Resources, Service
from swath.model.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RuntimeName = Literal["process", "docker", "inside"]
RuntimeChoice = Literal["auto", "process", "docker", "inside"]
ArgumentValue = str | tuple[str, ...]
EndedBy = Literal["itself", "timeout", "stop", "memory"]

EXIT_TEMPORARY: Final = 75  # EX_TEMPFAIL of sysexits.h: "the fault may pass, try again"
EXIT_TERMINATED: Final = 128 + 15  # as of a program that SIGTERM ended
STOPPED: Final = "it was stopped"


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder or HTTP store outside the repository that stages name and nobody hashes: `volumes` in swath.yaml.

    Attributes:
        path: on this machine; SWATH_VOLUME_<NAME> overrides it. A folder, or an http(s) URL.
        read_only: whether services may write there.
    """

    name: str
    path: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the files of a workspace come from: it decides where a link in an input may lead.

    Attributes:
        outputs: paths from the root that stages make.
        cache: DVC's cache folder, absolute; None: not known, so that whatever has its form counts.
    """

    outputs: frozenset[str] = frozenset()
    cache: str | None = None

    def output_around(self, path: str) -> str | None:
        """The output of a stage that a path (from the root) is, or lies in; None: no stage makes it."""
        parts = path.split("/")
        ways = ("/".join(parts[:number]) for number in range(1, len(parts) + 1))
        return next((way for way in ways if way in self.outputs), None)


@dataclass(frozen=True, slots=True)
class Invocation:
    """A service with checked arguments, ready to start.

    Attributes:
        folder: the service's folder, absolute.
        arguments: name and value, as the command gave them, in its order; defaults of absent options follow. Values are
            text in the form that the service gets; a list parameter has a tuple. ``volume:NAME`` is still unresolved.
        root: the repository's root, absolute.
        wdir: the stage's working directory, from the root; relative paths in the arguments start there.
        volumes: the volumes that the arguments name.
        scratch: a folder kept between attempts of the same stage, for checkpoints; exists.
        resources: what the service may use.
        gpus: names of the GPUs it may see, as CUDA_VISIBLE_DEVICES takes them.
        environment: further variables, DVC_ROOT and DVC_STAGE among them.
        keep_outputs: outputs that are there stay (DVC's `persist`); who says so has removed what must go.
        origins: where its inputs may come from.
    """

    service: Service
    folder: Path
    arguments: tuple[tuple[str, ArgumentValue], ...]
    root: Path
    wdir: str
    scratch: Path
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    resources: Resources = Resources()
    gpus: tuple[str, ...] = ()
    timeout_s: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    keep_outputs: bool = False
    origins: Origins = Origins()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        exit_code: of the program; 128 + n when signal n ended it.
        reason: one sentence for the user when it failed, such as a timeout, a kill for memory, or an undeclared path;
            empty on success.
        wall_s: seconds from start to end.
        cpu_s: processor seconds of it and its children, where the system tells.
        peak_memory_bytes: largest memory of one process, where the system tells; else 0.
        temporary: the fault may pass by itself (exit 75 of the service, a registry that did not answer).
        ended_by: who ended it: the program itself, or we, for its timeout, a stop, or too much memory.
    """

    exit_code: int
    reason: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    temporary: bool = False
    ended_by: EndedBy = "itself"


def exit_code_of(code: int, ended_by: EndedBy) -> int:
    """The exit code that counts: what a program says counts only when it ended by itself.

    One that was ended has failed, and its failure is not one that may pass, whatever it says on its way out.

    Args:
        code: that the program ended with.
        ended_by: who ended it.
    """
    return EXIT_TERMINATED if ended_by != "itself" and code in {0, EXIT_TEMPORARY} else code


def timeout_reason(timeout_s: float) -> str:
    """Why it failed, when its timeout passed."""
    return f"it took longer than its timeout of {Duration(timeout_s) if timeout_s >= 1 else f'{timeout_s:g}s'}"
