"""`swath plan`: say for each stage whether it would run, and why."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from swath.cli.options import json_option, open_repository, refuse_together, targets_argument
from swath.cli.visible_console import visible_console
from swath.load.targets import Selection
from swath.local.preview import preview
from swath.local.revision import planned_revision
from swath.model.shell_words import first_service
from swath.model.visible_text import visible
from swath.report import plan_view
from swath.schema.plan_document import plan_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.dvc_border.repository import Repository
    from swath.model.graph import StageGraph
    from swath.model.jobs import PipelinePlan
    from swath.model.plan import Decision
    from swath.model.stage import Stage


@click.command()
@targets_argument
@json_option
@click.option("--mermaid", is_flag=True, help="Print the graph as a Mermaid flowchart.")
@click.option("--dot", is_flag=True, help="Print the graph for Graphviz.")
@click.option("--rev", metavar="REV", help="Plan a Git revision from its lock, without any data on this machine.")
@click.option(
    "--jobs", "with_jobs", is_flag=True, help="With --json: the GitLab CI jobs too; a commit's: swath compile."
)
@click.option("--verify-remote", is_flag=True, help="With --rev: ask the remote whether unchanged outputs still exist.")
@click.option(
    "-a", "--all", "everything", is_flag=True, help="Show unchanged stages too, as JSON and the pictures always do."
)
@click.option("-f", "--force", is_flag=True, help="As `run --force` would decide.")
def plan(
    *,
    targets: tuple[str, ...],
    as_json: bool,
    mermaid: bool,
    dot: bool,
    rev: str | None,
    with_jobs: bool,
    verify_remote: bool,
    everything: bool,
    force: bool,
) -> None:
    """Say for each stage whether it is unchanged, would be restored from the cache, or would run, with the reasons.

    TARGETS are stages, groups, dvc.yaml files or outputs, as for `dvc repro`; without any, all workflows.
    """
    refuse_together({"--json": as_json, "--mermaid": mermaid, "--dot": dot}, "each is a form of the whole plan")
    if verify_remote and rev is None:
        raise click.UsageError("--verify-remote needs --rev: a workspace has its outputs itself")
    if with_jobs and (rev is not None or not as_json):
        raise click.UsageError("--jobs goes with --json, and without --rev; for a commit: swath compile --json")
    repository, below = open_repository()
    selection = Selection(targets, below)
    if rev is not None:
        graph, decisions = planned_revision(repository, rev, selection, force=force, verify_remote=verify_remote)
    else:
        graph, decisions = planned_workspace(repository, selection, force=force, tolerant=True)
    for finding in graph.overlaps:
        click.echo(f"swath: warning: {finding}\n  `swath run` and `dvc repro` refuse this", err=True)
    if as_json:
        print_document(graph, decisions, _jobs(repository, graph, decisions) if with_jobs else None)
    elif mermaid or dot:
        click.echo((plan_view.mermaid if mermaid else plan_view.dot)(graph, decisions))
    else:
        print_table(decisions, everything=everything)


def planned_workspace(
    repository: Repository, selection: Selection, *, force: bool, tolerant: bool
) -> tuple[StageGraph, Mapping[str, Decision]]:
    """The chosen stages of the working tree and what would be done with them; stderr names groups that wait."""
    seen = preview(repository, selection, force=force, tolerant=tolerant)
    for group, why in seen.pending.items():
        click.echo(f"swath: {group} is not known yet: {why}", err=True)
    return seen.graph, seen.decisions


def print_document(graph: StageGraph, decisions: Mapping[str, Decision], jobs: PipelinePlan | None = None) -> None:
    """Print a plan as JSON."""
    document = plan_document(decisions, _services(graph.stages), jobs)
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _jobs(repository: Repository, graph: StageGraph, decisions: Mapping[str, Decision]) -> PipelinePlan:
    from swath.job.planned import planned_jobs
    from swath.job.server_version import at_server
    from swath.load.settings import load_settings

    kinds = {name: decision.kind for name, decision in decisions.items()}
    return planned_jobs(repository, graph, kinds, at_server(load_settings(repository.root), os.environ))


def _services(stages: Mapping[str, Stage]) -> dict[str, str | None]:
    return {name: first_service(stage.commands) for name, stage in stages.items()}


def print_table(decisions: Mapping[str, Decision], *, everything: bool = False, only_counts: bool = False) -> None:
    """Print a plan as a table; `everything`: with unchanged stages; `only_counts`: its last line alone."""
    shown = [] if only_counts else list(plan_view.rows(decisions, everything=everything))
    if shown:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("stage", "decision", "why"):
            table.add_column(title, overflow="fold")
        styles = {"run": "yellow", "restore": "cyan", "unchanged": "dim"}
        for name, kind, why in shown:
            table.add_row(Text(visible(name)), Text(kind, style=styles[kind]), Text(visible(why)))
        visible_console().print(table)
        click.echo()
    click.echo(plan_view.counts(decisions))
