"""Plan a Git revision from its lock, without data on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swath.dvc_border.remote import missing_in_remote
from swath.load.revision import opened_revision
from swath.load.targets import Selection, selected_stages
from swath.model.content import content_from_lock_item
from swath.model.lock_entry import items_by_path
from swath.plan.decide import decide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.dvc_border.repository import Repository
    from swath.dvc_border.revision import Revision
    from swath.model.content import Content
    from swath.model.graph import StageGraph
    from swath.model.plan import Decision
    from swath.model.stage import Stage


def planned_revision(
    repository: Repository,
    rev: str,
    selection: Selection = Selection(),  # noqa: B008 - a frozen value
    *,
    force: bool = False,
    verify_remote: bool = False,
) -> tuple[StageGraph, Mapping[str, Decision]]:
    """What a run of this revision would do in a fresh clone.

    Args:
        force: all its stages run.
        verify_remote: ask the remote whether the outputs of unchanged stages still exist; what is lost runs again.

    Raises:
        UserError: there is no such revision, its files are wrong, or the remote cannot be asked.
    """
    with opened_revision(repository, rev, tolerant=True) as opened:
        loaded, facts = opened.loaded, opened.facts()
        graph = loaded.graph.only(selected_stages(loaded, selection))
        forced = frozenset(graph.stages) if force else frozenset[str]()
        decisions = decide(graph, facts, forced=forced)
        if verify_remote:
            facts.drop_assumptions()
            decisions = decide(graph, facts, forced=forced, lost=_lost(repository, graph, decisions, facts))
    return graph, decisions


def _lost(
    repository: Repository, graph: StageGraph, decisions: Mapping[str, Decision], facts: Revision
) -> dict[str, tuple[str, ...]]:
    """Outputs of unchanged stages that the remote lacks, by stage."""
    unchanged = [graph.stages[name] for name, decision in decisions.items() if decision.kind == "unchanged"]
    wanted = {stage.name: _pushed(stage, facts) for stage in unchanged}
    missing = missing_in_remote(repository, [content for outs in wanted.values() for content in outs.values()])
    lost = {name: tuple(p for p, c in outs.items() if c.value in missing) for name, outs in wanted.items()}
    return {name: paths for name, paths in lost.items() if paths}


def _pushed(stage: Stage, facts: Revision) -> dict[str, Content]:
    """What the lock says of a stage's outputs that the remote keeps, by path."""
    items = items_by_path(facts.locked(stage) or {}, "outs")
    pushed = [out for out in stage.outs if out.cache and out.push and out.text in items]
    contents = {out.path: content_from_lock_item(items[out.text]) for out in pushed}
    return {path: content for path, content in contents.items() if content}
