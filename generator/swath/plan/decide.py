"""Decide for each stage: unchanged, restore, or run; with all reasons.

Pure: what is on disk, in the lock and in the cache is asked of `Facts`. The rules are DVC's (`dvc repro` on the same
files executes the same stages; property tests hold the two equal), less its short cuts: all reasons are gathered, not
only the first; and a run-cache entry counts only when its parameters are the present ones.

Source: DVC 3.67.1, `stage/__init__.py: changed, run`, `stage/cache.py: restore, _can_hash`, read 2026-11-22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from swath.errors import UserError
from swath.model.content import content_from_lock_item
from swath.model.lock_entry import Item, LockEntry, can_hash, identity, items_by_path, run_cache_key
from swath.model.plan import Decision, Reason
from swath.model.recordable import check_recordable

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from swath.model.content import Content
    from swath.model.graph import StageGraph
    from swath.model.stage import Dependency, JSONValue, Output, ParamsRead, Stage

_SERVICES: Final = "services/"


class Facts(Protocol):
    """What is so, of one repository at one moment."""

    def locked(self, stage: Stage) -> LockEntry | None:
        """The stage's entry in dvc.lock (or in the journal of a run that was killed)."""

    def dep(self, stage: Stage, dep: Dependency, locked: Item | None) -> Item | None:
        """The dep as dvc.lock would say it now, hashed in the way that `locked` is; None: it does not exist."""

    def out(self, stage: Stage, out: Output, locked: Item | None) -> Item | None:
        """The output, likewise; None: it does not exist."""

    def params(self, read: ParamsRead) -> dict[str, JSONValue] | None:
        """The parameters there are; None: the file does not exist."""

    def has_object(self, content: Content) -> bool:
        """Whether the cache has the data."""

    def run_cache(self, key: str) -> LockEntry | None:
        """The run-cache entry to take for a key."""

    @property
    def checks_outputs(self) -> bool:
        """Whether outputs must be there (workspace), or only the inputs count (a revision without data)."""


def decide(
    graph: StageGraph, facts: Facts, *, forced: Container[str] = (), lost: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Decision]:
    """Decide for every stage of a graph.

    A stage behind one that will run is ``run`` with the reason ``upstream``: whoever runs it looks again when its
    inputs are known. A restored output feeds the decisions behind it, so `facts` may be told (`facts.assume`).

    Args:
        forced: stages that run even when they are unchanged.
        lost: stages to their outputs that the remote lacks: they run again.

    Returns:
        Decisions by name, in the graph's order.
    """
    decisions: dict[str, Decision] = {}
    for name, stage in graph.stages.items():
        moving = tuple(up for up in graph.upstream[name] if decisions[up].kind == "run")
        decision = (
            _decide_behind(stage, facts, moving, graph) if moving else decide_stage(stage, facts, forced=name in forced)
        )
        if lost and name in lost and decision.kind == "unchanged":
            decision = Decision("run", tuple(Reason("lost", path) for path in lost[name]))
        if decision.kind == "restore" and decision.entry is not None:
            assume = getattr(facts, "assume", None)
            if assume is not None:
                assume(stage, decision.entry)
        decisions[name] = decision
    return decisions


def _decide_behind(stage: Stage, facts: Facts, moving: tuple[str, ...], graph: StageGraph) -> Decision:
    reasons = [Reason("upstream", name) for name in moving]
    made = [out.path for name in moving for out in graph.stages[name].outs]
    entry = facts.locked(stage)
    if entry is None:
        return Decision("run", (Reason("new"), *reasons))
    settled = [dep for dep in stage.deps if not any(touches(path, dep.path) for path in made)]
    own, _ = _changed_inputs(stage, settled, entry, facts)
    return Decision("run", (*own, *reasons))


def touches(a: str, b: str) -> bool:
    """Whether one of two paths is the other, or lies inside it."""
    return a == b or a.startswith(b + "/") or b.startswith(a + "/") or b == "."


def decide_stage(stage: Stage, facts: Facts, *, forced: bool = False) -> Decision:
    """Decide for one stage whose inputs are all known."""
    if stage.frozen:
        return Decision("unchanged", (Reason("frozen"),))
    entry = facts.locked(stage)
    reasons, inputs = _changed_inputs(stage, stage.deps, entry or {}, facts)
    if entry is None:
        reasons.insert(0, Reason("new"))  # nothing to compare with: the others say what is missing
    outs = list(_changed_outputs(stage, entry, facts)) if entry and facts.checks_outputs else []
    if stage.always_changed or stage.is_callback:
        reasons.append(Reason("always"))
    if forced:
        return Decision("run", (Reason("forced"), *reasons, *outs))
    if not reasons and not outs:
        return Decision("unchanged")
    restored = _restorable(stage, inputs, entry if entry and not reasons else None, facts)
    return Decision("restore" if restored else "run", (*reasons, *outs), restored)


def _changed_inputs(
    stage: Stage, deps: Iterable[Dependency], entry: LockEntry, facts: Facts
) -> tuple[list[Reason], LockEntry | None]:
    """How command, deps and parameters differ from the lock, and the entry (without outs) that they would have.

    The entry is None when an input is missing or deps were left out.
    """
    reasons: list[Reason] = []
    cmd: JSONValue = stage.lock_cmd
    if entry and entry.get("cmd") != cmd:
        reasons.append(Reason("cmd", old=entry.get("cmd"), new=cmd))
    locked = items_by_path(entry, "deps")
    current: dict[str, Item | None] = {}
    for dep in deps:
        old = locked.get(dep.text)
        new = current[dep.text] = facts.dep(stage, dep, old)
        if new is None:
            reasons.append(Reason("missing", dep.path, old=_name(old)))
        elif entry and identity(new) != identity(old):
            reasons.append(
                Reason("service" if dep.path.startswith(_SERVICES) else "dep", dep.path, _name(old), _name(new))
            )
    values, changed = _changed_params(stage, entry, facts)
    reasons.extend(changed)
    complete = len(current) == len(stage.deps) and all(current.values()) and values is not None
    return reasons, _entry(cmd, current, values) if complete else None


def _entry(cmd: JSONValue, deps: Mapping[str, Item | None], params: Mapping[str, JSONValue] | None) -> LockEntry:
    entry: LockEntry = {"cmd": cmd}
    if deps:
        entry["deps"] = [item for _, item in sorted(deps.items())]
    if params:
        names = sorted(params, key=lambda name: (name != "params.yaml", name))
        entry["params"] = {name: params[name] for name in names}
    return entry


def check_inputs(stage: Stage, decision: Decision, hint: str) -> None:
    """See that nothing the stage reads is missing.

    Args:
        hint: what to do about a file of the repository that is.

    Raises:
        UserError: a dep or a parameter is missing.
    """
    own = {out.path for out in stage.outs}
    missing = [reason.path for reason in decision.reasons if reason.kind == "missing" and reason.path not in own]
    if any("://" in path for path in missing):
        hint = "see whether the address is right and answers"
    if missing:
        raise UserError(f"{', '.join(missing)} does not exist", place=stage.place, hint=hint)


def inputs_entry(stage: Stage, facts: Facts) -> LockEntry:
    """The stage's lock entry as its inputs are now, without outs; missing inputs are left out."""
    locked = items_by_path(facts.locked(stage) or {}, "deps")
    cmd: JSONValue = stage.lock_cmd
    deps: dict[str, Item | None] = {}
    for dep in stage.deps:
        old = locked.get(dep.text)
        new = facts.dep(stage, dep, old)
        if old is not None and "hash" not in old and identity(new) != identity(old):
            new = facts.dep(stage, dep, None)  # DVC keeps DVC 2's hash only as long as the content stays
        if new is not None:
            deps[dep.text] = new
    found = ((read.text, facts.params(read)) for read in stage.params)
    return _entry(cmd, deps, {text: _sorted(params) for text, params in found if params is not None})


def _changed_params(stage: Stage, entry: LockEntry, facts: Facts) -> tuple[dict[str, JSONValue] | None, list[Reason]]:
    """The parameters as the lock would say them (None: some are missing), and the changed ones."""
    reasons: list[Reason] = []
    values: dict[str, JSONValue] = {}
    complete = True
    all_locked = entry.get("params")
    for read in stage.params:
        known = all_locked.get(read.text) if isinstance(all_locked, dict) else None
        old = known if isinstance(known, dict) else {}
        new = facts.params(read)
        absent = list(read.keys or [""]) if new is None else [key for key in read.keys if key not in new]
        if new is None or absent:
            complete = False
            reasons.extend(Reason("missing", f"{read.path}:{key}".rstrip(":"), old=old.get(key)) for key in absent)
            continue
        check_recordable(stage, read, new)
        values[read.text] = _sorted(new)
        if entry:
            reasons.extend(_changed_values(read, old, new))
    return values if complete else None, reasons


def _sorted(params: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    return {key: _plain(params[key]) for key in sorted(params)}


def _changed_values(read: ParamsRead, old: Mapping[str, JSONValue], new: Mapping[str, JSONValue]) -> Iterable[Reason]:
    for key in read.keys or sorted({*new, *old}):
        if key not in old or key not in new or not _same(_plain(new[key]), old[key]):
            yield Reason("param", f"{read.path}:{key}", old.get(key), _plain(new.get(key)))


def _same(new: JSONValue, old: JSONValue) -> bool:
    """Whether two values are equal; NaN, which is one object here (`schema/one_nan.py`), is equal to itself."""
    return new is old or new == old


def _plain(value: JSONValue) -> JSONValue:
    """Tuples of Python parameter files are lists in the lock, also inside other values."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _changed_outputs(stage: Stage, entry: LockEntry, facts: Facts) -> Iterable[Reason]:
    locked = items_by_path(entry, "outs")
    for out in stage.outs:
        old = locked.get(out.text)
        new = facts.out(stage, out, old)
        content = content_from_lock_item(old) if old else None
        if new is None:
            yield Reason("missing", out.path, old=_name(old))
        elif identity(new) != identity(old):
            yield Reason("out", out.path, _name(old), _name(new))
        elif out.cache and content and not facts.has_object(content):
            yield Reason("missing", out.path, old=_name(old), new=_name(new))


def _restorable(stage: Stage, inputs: LockEntry | None, unchanged: LockEntry | None, facts: Facts) -> LockEntry | None:
    """The entry whose outputs the cache can give: the lock's own for unchanged inputs, else the run cache's."""
    if inputs is None or not can_hash(stage):
        return None
    if unchanged is not None and _has_all_outputs(stage, unchanged):
        entry: LockEntry | None = unchanged
    else:
        entry = facts.run_cache(run_cache_key(stage, inputs))
        if entry is not None and entry.get("params") != inputs.get("params"):
            entry = None  # a parameter called `size` is no part of DVC's key: this is of another value
    return entry if entry is not None and _is_cached(entry, facts) else None


def _has_all_outputs(stage: Stage, entry: LockEntry) -> bool:
    locked = items_by_path(entry, "outs")
    return all(out.text in locked for out in stage.outs)


def _is_cached(entry: LockEntry, facts: Facts) -> bool:
    contents = [content_from_lock_item(item) for item in items_by_path(entry, "outs").values()]
    return all(content is not None and facts.has_object(content) for content in contents)


def _name(item: Item | None) -> JSONValue:
    """The hash of a lock item, for people."""
    if item is None:
        return None
    return next((item[key] for key in ("md5", "etag", "checksum") if key in item), None)
