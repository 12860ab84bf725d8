"""Names of jobs: what a reader expects, and nothing that means something to YAML, a shell or GitLab.

    predict@a        pipelines/usage/predict@a        download .. tile 2/4

GitLab shows `download 1/4` to `download 4/4` as one group.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from swath.limits import JOB_NAME_CHARACTERS, RESERVED_JOB_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.model.graph import StageGraph
    from swath.model.stage import Stage
    from swath.plan.batch import Batch

RESTORE: Final = "restore"
OWN_NAMES: Final = frozenset({RESTORE, "collect", "plan", "report", "level-2", "nothing-to-do"})
_OWN_PATTERN: Final = re.compile(r"join \d+|images \d+")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.@/+ -]+")
_HASH_DIGITS: Final = 8
_LONGEST: Final = JOB_NAME_CHARACTERS - 24  # room for the hash, and for the batch's number


def job_names(batches: Sequence[Batch], graph: StageGraph) -> tuple[str, ...]:
    """A name for each batch: unique, at most 255 characters of `[A-Za-z0-9_.@/+ -]`."""
    raw = [_raw_name(batch, graph) for batch in batches]
    plain = [_plain(text) for text in raw]
    counts = Counter(plain)
    names = []
    for batch, text, name in zip(batches, raw, plain, strict=True):
        taken = counts[name] > 1 or name in RESERVED_JOB_NAMES or name in OWN_NAMES or _OWN_PATTERN.fullmatch(name)
        names.append(_hashed(name, batch) if taken or not name or len(text) > _LONGEST else name)
    return tuple(names)


def _hashed(name: str, batch: Batch) -> str:
    digest = hashlib.sha256(json.dumps(batch.stages).encode()).hexdigest()[:_HASH_DIGITS]
    stem, space, number = name.rpartition(" ")
    if space and "/" in number and number == f"{batch.number}/{batch.count}":
        return f"{stem[:_LONGEST]}-{digest} {number}"
    return f"{name[:_LONGEST]}-{digest}" if name else f"job-{digest}"


def _raw_name(batch: Batch, graph: StageGraph) -> str:
    stages = [graph.stages[name] for name in batch.stages]
    numbered = batch.count > 1 and batch.number
    labels = list(dict.fromkeys(_label(stage, whole=not batch.number) for stage in stages))
    text = " .. ".join([labels[0], labels[-1]] if len(labels) > 1 else labels)
    return f"{text[:_LONGEST]} {batch.number}/{batch.count}" if numbered else text


def _label(stage: Stage, *, whole: bool) -> str:
    folder = posixpath.dirname(stage.file)
    return posixpath.join(folder, stage.key if whole else stage.group)


def _plain(text: str) -> str:
    """Only harmless characters; not hidden (`.name`), and without spaces at the ends."""
    return re.sub(r" {2,}", " ", _NOT_IN_NAMES.sub("-", text))[:JOB_NAME_CHARACTERS].lstrip("./- ").rstrip()
