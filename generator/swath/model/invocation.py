"""One start of a service, and how it ended. No I/O.

`execute/command.py` makes an `Invocation` from the words of `swath exec`; a runtime of `execute/` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from swath.model.service import Resources, Service

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RuntimeName = Literal["process", "docker", "inside"]
RuntimeChoice = Literal["auto", "process", "docker", "inside"]
ArgumentValue = str | tuple[str, ...]


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
        gpus: numbers of the GPUs it may see.
        environment: further variables, DVC_ROOT and DVC_STAGE among them.
        keep_outputs: outputs that are there stay (DVC's `persist`); who says so has removed what must go.
    """

    service: Service
    folder: Path
    arguments: tuple[tuple[str, ArgumentValue], ...]
    root: Path
    wdir: str
    scratch: Path
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    resources: Resources = Resources()
    gpus: tuple[int, ...] = ()
    timeout_s: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    keep_outputs: bool = False


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
    """

    exit_code: int
    reason: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    temporary: bool = False
