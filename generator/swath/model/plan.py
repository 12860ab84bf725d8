"""What Swath decided to do with each stage, and why. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from swath.model.stage import JSONValue

DecisionKind = Literal["unchanged", "restore", "run"]
ReasonKind = Literal[
    "new", "cmd", "param", "dep", "out", "service", "upstream", "forced", "always", "frozen", "lost", "missing"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a stage is not simply unchanged.

    Attributes:
        path: what changed: a path, a parameter as ``params.yaml:train.lr``, or the name of the upstream stage.
        old: the hash or value in dvc.lock; None: there was none.
        new: the hash or value now; None: there is none.
    """

    kind: ReasonKind
    path: str = ""
    old: JSONValue = None
    new: JSONValue = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a stage.

    Attributes:
        entry: for ``restore``: the lock entry whose outputs come from the cache.
    """

    kind: DecisionKind
    reasons: tuple[Reason, ...] = ()
    entry: Mapping[str, JSONValue] | None = field(default=None, compare=False)
