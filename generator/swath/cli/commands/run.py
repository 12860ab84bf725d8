"""`swath run`: bring stages up to date, in parallel, on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Literal, get_args

import click

from swath.cli.commands.plan import planned_workspace, print_document, print_table
from swath.cli.interrupt import interruptible
from swath.cli.options import json_option, open_repository, refuse_together, targets_argument
from swath.cli.visible_console import visible_console
from swath.cli.visible_streams import document_stream
from swath.dvc_border.overrides import apply_overrides, overridden
from swath.errors import InterruptedRunError
from swath.execute.choose import runtime_choice
from swath.load.targets import Selection
from swath.local.progress import Lines, summary_line
from swath.local.run import RunOptions, RunSummary, raise_for, run_lock, run_workflows
from swath.model.invocation import RuntimeChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swath.dvc_border.repository import Repository
    from swath.local.live import Terminal


@click.command()
@targets_argument
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N stages at a time; default: one for each core.",
)
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, go on with what does not depend on it.")
@click.option("-f", "--force", is_flag=True, help="Run stages even when they are unchanged.")
@click.option("--downstream", is_flag=True, help="Run the targets and what needs them.")
@click.option("-s", "--single-item", is_flag=True, help="Run the targets alone, not what they need.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would run; run nothing.")
@click.option(
    "-S",
    "--set-param",
    "overrides",
    multiple=True,
    metavar="[FILE:]KEY=VALUE",
    help="Set a parameter first, as `dvc exp run -S`.",
)
@click.option("--runtime", type=click.Choice(get_args(RuntimeChoice)), help="How services are started; default: auto.")
@click.option("-q", "--quiet", is_flag=True, help="Only the last line.")
@json_option
def run(
    *,
    targets: tuple[str, ...],
    jobs: int | None,
    keep_going: bool,
    force: bool,
    downstream: bool,
    single_item: bool,
    dry_run: bool,
    overrides: tuple[str, ...],
    runtime: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Bring stages up to date: skip what is unchanged, restore what is cached, run the rest in parallel.

    TARGETS are stages, groups, dvc.yaml files or outputs, as for `dvc repro`; without any, all workflows. What is
    finished is kept whatever happens: an interrupted or killed run goes on where it was.
    """
    if (downstream or single_item) and not targets:
        raise click.UsageError("--downstream and --single-item need a target")
    refuse_together({"--downstream": downstream, "--single-item": single_item}, "one says what the other excludes")
    repository, below = open_repository()
    selection = Selection(targets, below, "downstream" if downstream else "alone" if single_item else "upstream")
    if dry_run:
        _show(repository, selection, overrides, force=force, form="json" if as_json else "counts" if quiet else "table")
        return

    if overrides:
        apply_overrides(repository, overrides)
    options = RunOptions(
        selection=selection,
        jobs=jobs,
        force=force,
        keep_going=keep_going,
        runtime=runtime_choice(runtime, os.environ),
    )
    stop = threading.Event()
    summary = _run(repository, options, stop, quiet=quiet)
    if as_json:
        click.echo(json.dumps(_document(summary), indent=2))
    raise_for(summary, interrupted=stop.is_set())


def _show(
    repository: Repository,
    selection: Selection,
    overrides: tuple[str, ...],
    *,
    force: bool,
    form: Literal["json", "counts", "table"],
) -> None:
    """Print what the run would do, with its parameters set meanwhile."""
    stop = threading.Event()
    with contextlib.ExitStack() as meanwhile:
        if overrides:  # nobody else reads these values, and no signal keeps them in the files
            meanwhile.enter_context(run_lock(repository))
            meanwhile.enter_context(interruptible(stop))
            meanwhile.enter_context(overridden(repository, overrides))
        tolerant = not selection.needs_graph
        graph, decisions = planned_workspace(repository, selection, force=force, tolerant=tolerant)
    if stop.is_set():
        raise InterruptedRunError("interrupted; nothing was changed")
    if form == "json":
        print_document(graph, decisions)
    else:
        print_table(decisions, only_counts=form == "counts")


def _run(repository: Repository, options: RunOptions, stop: threading.Event, *, quiet: bool) -> RunSummary:
    with _follower(quiet=quiet) as follower, interruptible(stop):
        summary = run_workflows(repository, options, follower, dict(os.environ), stop)
    with contextlib.suppress(BrokenPipeError):  # the exit code must tell what came of it all the same
        click.echo(summary_line(summary), err=True)
    return summary


def _follower(*, quiet: bool) -> Lines | Terminal:
    if quiet or not document_stream(sys.stderr).isatty():
        return Lines(None if quiet else sys.stderr)

    from swath.local.live import Terminal

    return Terminal(visible_console(stderr=True))


def _document(summary: RunSummary) -> dict[str, object]:
    return {
        "version": 1,
        "wall_s": round(summary.wall_s, 3),
        "unchanged": summary.unchanged,
        "stages": list(_stages(summary)),
    }


def _stages(summary: RunSummary) -> Iterator[dict[str, object]]:
    for name, report in summary.reports.items():
        yield {
            "name": name,
            "did": report.did,
            "message": report.message,
            "log": str(report.log) if report.log else None,
            "wall_s": round(report.wall_s, 3),
            "cpu_s": round(report.cpu_s, 3),
            "peak_memory_bytes": report.peak_memory_bytes,
            "attempts": report.attempts,
        }
    for name, behind in summary.skipped.items():
        yield {"name": name, "did": "skipped", "message": f"behind {behind}"}
    for name in summary.not_started:
        if name not in summary.skipped:
            yield {"name": name, "did": "not started", "message": ""}
