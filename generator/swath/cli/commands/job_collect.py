"""`swath job collect`: record what the jobs of a pipeline did."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from swath.cli.options import open_repository
from swath.cli.trust import keep_checkout_open, trust_checkout
from swath.cli.visible_console import visible_console
from swath.errors import UserError
from swath.job.collect import Bot, Collector, collect_results, gather, with_plan, write_here
from swath.job.origin import Origin, read_origin
from swath.job.store import store_of
from swath.load.settings import load_settings
from swath.model.units import Duration
from swath.model.visible_text import visible
from swath.record.login import login_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.job.collect import Collected, Gathered, Row
    from swath.record.recording import Recorded

_MOST_ROWS: Final = 500  # a job's log is cut at 4 MB, and nobody reads more


@click.command()
@click.option("--plan-digest", metavar="HEX", help="Only fragments of this plan count, of those of this level.")
@click.option("--write", is_flag=True, help="Write the results into this working tree instead of pushing a commit.")
def collect(*, plan_digest: str | None, write: bool) -> None:
    """Record what the jobs of a pipeline did: merge their fragments into dvc.lock, and push it.

    On the default branch that is a commit, for merge requests a DVC experiment, as swath.yaml's `record` says. What a
    failed pipeline has finished becomes an experiment whose name ends in -failed.
    """
    environ = dict(os.environ)
    trust_checkout()
    repository, _ = open_repository()
    keep_checkout_open(repository)
    origin = read_origin(environ)
    store, why = store_of(repository, environ)
    if store is None:
        raise UserError(why, hint="the results of jobs lie in a DVC remote: dvc remote add -d NAME URL")
    gathered = gather(store, origin, plan_digest, repository.subfolder)
    if write:
        changes = write_here(repository, store, gathered)
        click.echo(f"{len(changes.stages)} stages recorded here; their data comes with: dvc pull")
        _say_left_out(changes.left_out)
    else:
        decisions = environ.get("SWATH_DECISIONS")
        known = with_plan(repository, gathered, origin, decisions) if decisions else gathered
        collector = Collector(repository, store, origin, load_settings(repository.root).record, _bot(environ, origin))
        _print(collect_results(collector, known))
    _raise_for(gathered)


def _bot(environ: Mapping[str, str], origin: Origin) -> Bot:
    return Bot(
        name=environ.get("SWATH_BOT_NAME") or "Swath",
        email=environ.get("SWATH_BOT_EMAIL") or f"swath@{origin.host}",
        login=login_for(origin.url, environ),
    )


def _print(collected: Collected) -> None:
    _print_table(collected.rows)
    for path, why in collected.gathered.refused.items():
        click.echo(f"not recorded: {path}: {why}", err=True)
    if collected.recorded is not None:
        click.echo(_recorded_line(collected.recorded))
        _say_left_out(collected.recorded.changes.left_out)
        if collected.recorded.is_experiment and collected.recorded.commit:
            click.echo(f"It comes into a clone with:\n  dvc exp pull origin {collected.recorded.name}")
    for note in collected.notes:
        click.echo(f"swath: {note}", err=True)


def _recorded_line(recorded: Recorded) -> str:
    if recorded.how == "commit" and recorded.commit:
        return f"recorded as commit {recorded.commit[:12]} on {recorded.name}"
    if recorded.how == "experiment":
        return f"recorded as the experiment {recorded.name} on {recorded.parent[:12]}"
    if recorded.how == "already recorded":
        return f"already recorded: {recorded.name}"
    return "nothing new: dvc.lock says all of it already"


def _say_left_out(left_out: Mapping[str, str]) -> None:
    for name, why in sorted(left_out.items()):
        click.echo(f"not recorded: {name}: {why}", err=True)


def _print_table(rows: tuple[Row, ...]) -> None:
    """The stages that did something; the rest are counted."""
    shown = [row for row in rows if row.did != "unchanged"]
    if shown:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("stage", "did", "wall time"):
            table.add_column(title, overflow="fold")
        for row in shown[:_MOST_ROWS]:
            table.add_row(Text(visible(row.stage)), row.did, _time(row.wall_s))
        visible_console(soft_wrap=True).print(table)
    if len(shown) > _MOST_ROWS:
        click.echo(f"… and {len(shown) - _MOST_ROWS} more")
    count = {did: sum(row.did == did for row in rows) for did in dict.fromkeys(row.did for row in rows)}
    click.echo(", ".join(f"{number} {did}" for did, number in count.items()) or "no stage was run")


def _time(seconds: float) -> str:
    if not seconds:
        return ""
    return f"{seconds:.1f}s" if seconds < 60 else str(Duration(round(seconds)))


def _raise_for(gathered: Gathered) -> None:
    if len(gathered.broken) == 1:
        hint = "what its job did is not recorded: retry that job, then this one"
        raise UserError(f"a fragment cannot be read: {gathered.broken[0]}", hint=hint)
    if gathered.broken:
        hint = "what their jobs did is not recorded: retry those jobs, then this one"
        raise UserError(f"{len(gathered.broken)} fragments cannot be read: {', '.join(gathered.broken)}", hint=hint)
