"""The graph of stages. No I/O.

    train ──▶ combine ──▶ tile@a ──▶ filter@a
                     └──▶ tile@b ──▶ filter@b

An edge points from a stage to the stage that makes one of its deps, as in DVC: an output at the dep's path, above it,
or inside it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from swath.errors import Finding, FindingsError, Place
from swath.model.stage import Stage

_LONGEST_CIRCLE: Final = 20  # stages that a message names


@dataclass(frozen=True, slots=True)
class StageGraph:
    """Stages by name, with their edges.

    Attributes:
        stages: every stage, in DVC's order of execution: depth first from each stage in the order of the files, a
            stage after all that it needs. The order is stable: the same files give the same order.
        upstream: for each name, the names of the stages that make its deps, in the order of its deps.
        downstream: the same edges the other way round.
        overlaps: outputs that lie at or inside another's, where the caller tolerates that.
    """

    stages: Mapping[str, Stage]
    upstream: Mapping[str, tuple[str, ...]]
    downstream: Mapping[str, tuple[str, ...]]
    overlaps: tuple[Finding, ...] = ()

    @property
    def output_paths(self) -> frozenset[str]:
        """What all stages make, from the root."""
        return frozenset(out.path for stage in self.stages.values() for out in stage.outs)

    def behind(self, names: Iterable[str]) -> set[str]:
        """The named stages and all stages that need them."""
        return _reach(self.downstream, names)

    def before(self, names: Iterable[str]) -> set[str]:
        """The named stages and all that they need."""
        return _reach(self.upstream, names)

    def only(self, names: Iterable[str]) -> StageGraph:
        """The part of the graph with these stages, in the same order."""
        kept = set(names)
        return StageGraph(
            {name: stage for name, stage in self.stages.items() if name in kept},
            {name: tuple(n for n in ups if n in kept) for name, ups in self.upstream.items() if name in kept},
            {name: tuple(n for n in downs if n in kept) for name, downs in self.downstream.items() if name in kept},
            self.overlaps,
        )


def build_graph(
    stages: Sequence[Stage], tracked: Mapping[str, str] | None = None, *, tolerant: bool = False
) -> StageGraph:
    """Connect stages.

    DVC looks for overlaps where it builds its graph (`repro`, `exp run`, `dag`, what has `--recursive` or
    `--with-deps`), but not in `status`, `stage list` and `repro --single-item`.

    Args:
        stages: in the order of the files.
        tracked: outputs of `.dvc` files: path to the file's name; they may not overlap with stages' outputs.
        tolerant: overlaps are told in the graph and are no errors; of stages that make one path, the first counts.

    Raises:
        FindingsError: stages write one path, an output lies inside another, or there is a cycle (with its path).
    """
    owners, findings = _owners(stages, tracked or {})
    findings += _overlaps(owners)
    paths = sorted(path for path in owners if owners[path])
    makers = {stage.name: _makers(stage, owners, paths) for stage in stages}
    by_name = {stage.name: stage for stage in stages}
    if findings and not tolerant:
        raise FindingsError(sorted(findings))
    upstream = {name: () if by_name[name].frozen else above for name, above in makers.items()}
    ordered = _postorder(by_name, upstream)
    if any(stage.frozen for stage in stages):
        _postorder(by_name, makers)  # a frozen stage waits for nobody, but DVC refuses a circle through it all the same
    downstream: dict[str, list[str]] = {name: [] for name in ordered}
    for name in ordered:
        for maker in upstream[name]:
            downstream[maker].append(name)
    return StageGraph(
        {name: by_name[name] for name in ordered},
        {name: upstream[name] for name in ordered},
        {name: tuple(names) for name, names in downstream.items()},
        tuple(sorted(findings)),
    )


def _owners(stages: Sequence[Stage], tracked: Mapping[str, str]) -> tuple[dict[str, Stage | None], list[Finding]]:
    """Who makes each path (None: a `.dvc` file), and the paths that two make."""
    owners: dict[str, Stage | None] = dict.fromkeys(tracked)
    findings: list[Finding] = []
    for stage in stages:
        for out in stage.outs:
            if out.path in owners:
                other = owners[out.path]
                by = f"stage {other.name}" if other else tracked[out.path]
                message = f"the output {out.path} of stage {stage.name} is also one of {by}"
                findings.append(Finding(stage.place, "graph", message, "give each output one stage"))
            else:
                owners[out.path] = stage
    return owners, findings


def _overlaps(owners: Mapping[str, Stage | None]) -> Iterator[Finding]:
    """Outputs inside other outputs."""
    for path, owner in owners.items():
        for parent in _parents(path):
            outer = owners.get(parent)
            if parent in owners and (owner or outer):
                inside = f"the output {path}" + (f" of stage {owner.name}" if owner else "")
                around = f"the output {parent}" + (f" of stage {outer.name}" if outer else "")
                place = owner.place if owner else outer.place if outer else Place("dvc.yaml")
                hint = "track one of them, or move one elsewhere"
                yield Finding(place, "graph", f"{inside} lies inside {around}", hint)


def _parents(path: str) -> Iterable[str]:
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def _makers(stage: Stage, owners: Mapping[str, Stage | None], paths: Sequence[str]) -> tuple[str, ...]:
    """The stages that make the deps of `stage`: at the path, above it, or inside it."""
    names: dict[str, None] = {}
    own_files = [read.path for read in stage.params]
    for path in [dep.path for dep in stage.deps] + own_files:
        for candidate in (*_parents(path), path):
            owner = owners.get(candidate)
            if owner:
                names[owner.name] = None
        prefix = "" if path == "." else path + "/"
        position = bisect_left(paths, prefix)
        while position < len(paths) and paths[position].startswith(prefix):
            owner = owners[paths[position]]
            if owner:
                names[owner.name] = None
            position += 1
    return tuple(names)


def _postorder(stages: Mapping[str, Stage], upstream: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names in DVC's order of execution. Iterative: 10,000 stages may stand in one chain.

    Raises:
        UserError: there is a cycle.
    """
    done: dict[str, None] = {}
    for start in stages:
        if start in done:
            continue
        path: dict[str, None] = {start: None}
        stack = [(start, iter(upstream[start]))]
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.pop(name)
                done[name] = None
            elif following in path:
                raise _cycle([*list(path)[list(path).index(following) :], following], stages)
            elif following not in done:
                path[following] = None
                stack.append((following, iter(upstream[following])))
    return list(done)


def _cycle(names: Sequence[str], stages: Mapping[str, Stage]) -> FindingsError:
    """The error of a circle; it begins with the stage that stands first in the files, whatever was visited first."""
    first = min(range(len(names) - 1), key=lambda position: stages[names[position]].place)
    ring = [*names[first:-1], *names[:first], names[first]]
    message = f"the stages depend on each other in a circle: {' needs '.join(_shortened(ring))}"
    return FindingsError([Finding(stages[ring[0]].place, "graph", message, "take one of these deps out")])


def _shortened(ring: Sequence[str]) -> Sequence[str]:
    """A long circle's middle is left out."""
    return ring if len(ring) <= _LONGEST_CIRCLE else [*ring[:4], f"({len(ring) - 8} more)", *ring[-4:]]


def _reach(edges: Mapping[str, tuple[str, ...]], names: Iterable[str]) -> set[str]:
    found = set(names)
    waiting = list(found)
    while waiting:
        for following in edges[waiting.pop()]:
            if following not in found:
                found.add(following)
                waiting.append(following)
    return found
