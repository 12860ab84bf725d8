"""Stages as DVC means them, resolved: `foreach`, `matrix` and `vars` are expanded. No I/O.

Made by `load/workflows.py`; read by all later phases. Paths are from the repository's root with forward slashes, unless
they lie outside it (absolute, or a URL).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from swath.errors import Place

JSONValue = None | bool | int | float | str | Sequence["JSONValue"] | Mapping[str, "JSONValue"]
OutputKind = Literal["outs", "metrics", "plots"]


@dataclass(frozen=True, slots=True)
class Dependency:
    """A file or folder that a stage reads.

    Attributes:
        path: from the repository's root, or absolute, or a URL.
        text: as dvc.yaml says it (from the stage's `wdir`): the path that stands in the lock.
    """

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """A file or folder that a stage writes; `path` and `text` as in `Dependency`."""

    path: str
    text: str
    kind: OutputKind = "outs"
    cache: bool = True
    persist: bool = False
    push: bool = True
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class ParamsRead:
    """Parameters that a stage reads from one file; no keys mean the whole file.

    Attributes:
        path: from the repository's root.
        text: as dvc.yaml says it; ``params.yaml`` by default.
        keys: dotted keys, in the order of dvc.yaml.
    """

    path: str
    text: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One resolved stage.

    Attributes:
        name: DVC's address from the repository's root: ``predict@a``, ``pipelines/usage/dvc.yaml:predict@a``.
        file: its dvc.yaml, from the repository's root.
        key: its key in dvc.yaml's lock: ``predict@a``.
        group: the name in dvc.yaml before `foreach` or `matrix` made stages of it: ``predict``.
        cmd: the command, or several that run one after the other.
        wdir: working directory from the repository's root; ``.`` is the root.
        meta: the stage's free `meta` mapping.
        place: where the group stands.
    """

    name: str
    file: str
    key: str
    group: str
    cmd: str | tuple[str, ...]
    wdir: str
    deps: tuple[Dependency, ...] = ()
    outs: tuple[Output, ...] = ()
    params: tuple[ParamsRead, ...] = ()
    frozen: bool = False
    always_changed: bool = False
    meta: Mapping[str, JSONValue] = field(default_factory=dict)
    place: Place = Place("dvc.yaml")

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands, one after the other, as DVC runs them: a string's lines, or the list's items.

        Blank ones are left out: a shell does nothing with them. The lock has them (`lock_cmd`).
        """
        lines = self.cmd if isinstance(self.cmd, tuple) else self.cmd.splitlines()
        return tuple(line for line in lines if line.strip())

    @property
    def lock_cmd(self) -> str | list[str]:
        """The command as dvc.lock says it."""
        return list(self.cmd) if isinstance(self.cmd, tuple) else self.cmd

    @property
    def is_callback(self) -> bool:
        """Whether it has neither deps nor outs, so that DVC runs it always."""
        return not (self.deps or self.outs or self.params)
