"""Fuse stages into threads: what one job may run one after the other, so that intermediates stay on the machine.

    download@a ─▶ extent@a ─▶ truth@a ─┐         three stages of one image on one class of runner: one thread
         └──────▶ filter@a ────────────┴▶ …      the same item and nothing else in between: joins it too

A stage joins the thread T of one of its upstream stages when it runs in the same place, waits for nothing that T does
not wait for itself, and either it needs T's last stage and T leads nowhere else, or both are about the same item of a
`foreach`. Edges between
threads then lead from earlier to later threads only: there are no cycles, whatever the graph is.

Threads are made of the whole graph, whatever was decided: equal work has equal jobs from commit to commit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Mapping, Sequence

    from swath.model.graph import StageGraph
    from swath.model.stage import Stage

_MOST_CANDIDATES: Final = 8  # a stage that gathers more threads than this begins one of its own


@dataclass(slots=True)
class Thread:
    """Stages that run one after the other.

    Attributes:
        place: where they run; equal for all of them.
        stages: names, in the graph's order.
        upstream: numbers of the threads that it waits for.
        depth: length of the longest chain of threads before it: an edge leads to a greater depth.
        items: the items of `foreach` that its stages are about; None stands for a stage without one.
        leads_to: stages outside that need one of its own.
        long: one of its stages is so long that nothing else should wait behind it.
    """

    place: Hashable
    stages: list[str]
    upstream: frozenset[int]
    depth: int
    items: set[str | None]
    leads_to: set[str] = field(default_factory=set)
    long: bool = False


def fuse(graph: StageGraph, places: Mapping[str, Hashable], long: Container[str] = ()) -> tuple[Thread, ...]:
    """The threads of a graph.

    Args:
        places: where each stage runs, such as its image and its class of runner.
        long: stages beside which no other stage of the same item is put, unless nothing else waits for it.

    Returns:
        Threads in the graph's order of their first stages; each stage is in exactly one.
    """
    threads: list[Thread] = []
    number_of: dict[str, int] = {}
    for name, stage in graph.stages.items():
        needs = graph.upstream[name]
        upstream = {number_of[up] for up in needs}
        candidates = sorted(upstream, reverse=True) if len(upstream) <= _MOST_CANDIDATES else []
        number = next(
            (
                number
                for number in candidates
                if threads[number].place == places[name]
                and upstream - {number} <= threads[number].upstream
                and _belongs(stage, needs, threads[number], is_long=name in long)
            ),
            None,
        )
        if number is None:
            number = len(threads)
            depth = 1 + max((threads[up].depth for up in upstream), default=-1)
            threads.append(Thread(places[name], [], frozenset(upstream), depth, set()))
        thread = threads[number]
        number_of[name] = number
        thread.stages.append(name)
        thread.items.add(item_of(stage))
        thread.long = thread.long or name in long
        thread.leads_to.discard(name)
        thread.leads_to.update(graph.downstream[name])
    return tuple(threads)


def item_of(stage: Stage) -> str | None:
    """The item of `foreach` or `matrix` that a stage is about; None: it is about none."""
    return stage.key.partition("@")[2] or None


def _belongs(stage: Stage, needs: Sequence[str], thread: Thread, *, is_long: bool) -> bool:
    """Whether a stage goes on where a thread ends, or is about the same item."""
    item = item_of(stage)
    if item is not None and thread.items == {item} and not (is_long or thread.long):
        return True
    return thread.leads_to == {stage.name} and thread.stages[-1] in needs
