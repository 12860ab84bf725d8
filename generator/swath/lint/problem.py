"""What a check of lint hands over: a finding, and perhaps what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from swath.errors import Finding

Section = Literal["deps", "outs"]
Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Repair:
    """An entry to add to a stage's deps or outs.

    Attributes:
        file: the dvc.yaml.
        group: the group of stages.
        steps: keys that lead to the group's definition: ``stages``, its name, and ``do`` for foreach.
        path: as it should stand in dvc.yaml, templates included.
        first: in front of the other entries; else behind them.
    """

    file: str
    group: str
    steps: Steps
    section: Section
    path: str
    first: bool = False


@dataclass(frozen=True, slots=True)
class IgnoreRepair:
    """Lines to add to `.dvcignore`."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding; `repair` when `swath lint --fix` can mend it."""

    finding: Finding
    repair: Repair | IgnoreRepair | None = None
