"""`swath verify`: do recorded stages give the same again?"""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Final, get_args

import click

from swath.cli.interrupt import interruptible
from swath.cli.options import json_option, open_repository, targets_argument
from swath.cli.visible_console import visible_console
from swath.errors import InterruptedRunError, UserError
from swath.execute.choose import runtime_choice
from swath.local.verify import VerifyOptions, raise_for, verify_stages
from swath.model.invocation import RuntimeChoice
from swath.model.visible_text import visible
from swath.record.git import commit_id, open_clone
from swath.schema.verify_document import verify_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from swath.model.verdict import Verdict

_MOST_FILES: Final = 5  # of a folder, in the table; --json has all
_STYLES: Final = {"same": "green", "differs": "red", "failed": "red", "skipped": "dim"}


@click.command()
@targets_argument
@click.option("--rev", default="HEAD", metavar="REV", help="The Git revision to verify; default: HEAD.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N stages at a time; default: one for each core.",
)
@click.option("--runtime", type=click.Choice(get_args(RuntimeChoice)), help="How services are started; default: auto.")
@json_option
def verify(*, targets: tuple[str, ...], rev: str, jobs: int | None, runtime: str | None, as_json: bool) -> None:
    """Run recorded stages again, in clean copies, and say which do not give what dvc.lock says.

    TARGETS are stages, groups, dvc.yaml files or outputs, as for `dvc repro`; without any, all workflows. Each stage is
    judged by itself, with the inputs that dvc.lock names. Nothing of the workspace, the cache or dvc.lock changes.
    Exit code 4: a stage failed, or gave something else.
    """
    repository, below = open_repository()
    commit = commit_id(open_clone(repository.root), rev)
    if commit is None:
        raise UserError(f"there is no revision {rev!r}", hint="see: git log; a shallow clone may lack it")
    options = VerifyOptions(
        commit=commit,
        targets=targets,
        below=below,
        jobs=jobs,
        runtime=runtime_choice(runtime, os.environ),
        environ=dict(os.environ),
    )
    stop = threading.Event()
    with interruptible(stop):
        verdicts = verify_stages(repository, options, stop, _say)
    if as_json:
        click.echo(json.dumps(verify_document(commit, verdicts), indent=2, ensure_ascii=False))
    else:
        _print(verdicts)
    if stop.is_set():
        raise InterruptedRunError("interrupted; the stages that were not judged are left out")
    raise_for(verdicts)


def _say(verdict: Verdict) -> None:
    took = f", {verdict.wall_s:.1f} s" if verdict.wall_s else ""
    click.echo(
        f"swath: {verdict.stage}: {verdict.kind}{took}{': ' if verdict.message else ''}{verdict.message}", err=True
    )


def _print(verdicts: Sequence[Verdict]) -> None:

    wrong = [verdict for verdict in verdicts if verdict.kind != "same"]
    if wrong:
        visible_console(soft_wrap=True).print(_table(wrong))
    count = {kind: sum(verdict.kind == kind for verdict in verdicts) for kind in _STYLES}
    click.echo(", ".join(f"{number} {kind}" for kind, number in count.items() if number) or "there are no stages")


def _table(verdicts: Sequence[Verdict]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("stage", "result", "what"):
        table.add_column(title, overflow="fold")
    for verdict in verdicts:
        what = visible("\n".join(_lines(verdict)))
        table.add_row(Text(visible(verdict.stage)), Text(verdict.kind, _STYLES[verdict.kind]), Text(what))
    return table


def _lines(verdict: Verdict) -> list[str]:
    lines = [verdict.message] if verdict.message else []
    for out in verdict.outs:
        lines.append(f"{out.path}: {out.recorded[:12]} recorded, {out.now[:12]} now")
        lines += [f"  {change}: {path}" for path, change in out.files[:_MOST_FILES]]
        if len(out.files) > _MOST_FILES:
            lines.append(f"  … {len(out.files) - _MOST_FILES} more")
    return [*lines, f"log: {verdict.log}"] if verdict.kind == "failed" and verdict.log else lines
