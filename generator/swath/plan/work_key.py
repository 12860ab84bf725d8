"""Keys of work: equal keys mean equal command, parameters and inputs, whatever the commit is.

    key(stage) = hash of its inputs as they are now, its outputs, and the keys of the stages behind which it will run

Not DVC's key of the run cache: that one leaves out parameters called `size` or `nfiles` (DVC 3.67.1, `stage/cache.py`).

Two pipelines with a long job of equal key share a `resource_group` (`plan/queues.py`): the second waits, and then finds
the results.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from swath.plan.decide import inputs_entry
from swath.schema.json_values import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from swath.model.graph import StageGraph
    from swath.model.plan import DecisionKind
    from swath.model.stage import JSONValue
    from swath.plan.decide import Facts


def work_keys(graph: StageGraph, decisions: Mapping[str, DecisionKind], facts: Facts) -> dict[str, str]:
    """The keys of all stages that will run; SHA-256 in hex."""
    keys: dict[str, str] = {}
    for name, stage in graph.stages.items():
        if decisions[name] == "run":
            moving = [keys[up] for up in graph.upstream[name] if up in keys]
            outs = sorted(out.path for out in stage.outs)
            keys[name] = _key([stage.wdir, inputs_entry(stage, facts), outs, *moving])
    return keys


def joint_key(keys: Iterable[str]) -> str:
    """One key for stages that one job runs; empty when one of them has none."""
    found = list(keys)
    return _key(found) if all(found) and found else ""


def _key(parts: Sequence[JSONValue]) -> str:
    return hashlib.sha256(json.dumps(to_json(parts), sort_keys=True).encode()).hexdigest()
