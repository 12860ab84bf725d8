"""`swath compile`: write the GitLab CI child pipeline of HEAD."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from swath.cli.options import json_option, open_repository, refuse_together, targets_argument
from swath.cli.trust import keep_checkout_open, trust_checkout_of_job
from swath.cli.visible_streams import document_stream
from swath.job.origin import is_from_fork
from swath.job.pipeline import CompileOptions, compile_pipeline
from swath.job.store import store_of
from swath.limits import CHILD_LEVELS
from swath.model.units import counted
from swath.schema.atomic_file import write_atomically
from swath.schema.plan_document import plan_document

if TYPE_CHECKING:
    from swath.job.pipeline import Compiled

_FORK: Final = "a merge request from a fork: neither registry nor remote is asked, and nothing will run"


@click.command(name="compile")
@targets_argument
@click.option("-o", "--output", metavar="FILE", help="Write the pipeline there; -: to stdout, as without.")
@click.option("--level", type=click.IntRange(1, CHILD_LEVELS), default=1, help="2: the stages that level 1 made known.")
@click.option("--no-registry", is_flag=True, help="Do not ask the registry: all images count as missing.")
@click.option("--no-remote", is_flag=True, help="Do not ask the DVC remote: nothing is restored.")
@click.option("--ask-gitlab", is_flag=True, help="Let the GitLab server check the result too; needs SWATH_TOKEN.")
@json_option
def compile(  # noqa: A001 - the command's name
    *,
    targets: tuple[str, ...],
    output: str | None,
    level: int,
    no_registry: bool,
    no_remote: bool,
    ask_gitlab: bool,
    as_json: bool,
) -> None:
    """Write the GitLab CI child pipeline that brings the stages of HEAD up to date.

    No data is needed here. TARGETS are as for `swath run`; without any, what swath.yaml names under ci.workflows, else
    all workflows. The file is checked first against GitLab's schema and limits.
    """
    refuse_together({"-o -": output == "-", "--json": as_json}, "both write to stdout; name a file: -o FILE")
    refuse_together({f"--level {level}": level > 1, "--no-remote": no_remote}, "what level 1 made is in the remote")
    if output == "":
        raise click.UsageError("-o needs a file's name; -: stdout")
    target = Path(output).absolute() if output not in {None, "-"} else None
    trust_checkout_of_job()
    repository, below = open_repository()
    keep_checkout_open(repository)
    fork = is_from_fork(os.environ)
    options = CompileOptions(targets, below, level, ask_registry=not (no_registry or fork))
    if fork:
        store, note = None, _FORK
    else:
        store, note = (None, "") if no_remote else store_of(repository, os.environ)
    compiled = compile_pipeline(repository, options, os.environ, store)
    said = _said_by_gitlab(compiled.text, fork=fork) if ask_gitlab else ()
    _write(compiled, target, as_json=as_json)
    named = _name_images(compiled) if options.ask_registry and "CI_JOB_ID" in os.environ else ()
    for line in (*([note] if note else []), *compiled.notes, *said, *named, _summary(compiled)):
        click.echo(f"swath: {line}", err=True)


def _write(compiled: Compiled, target: Path | None, *, as_json: bool) -> None:
    if target:
        write_atomically(target, compiled.text)
    if as_json:
        document = plan_document(compiled.decisions, compiled.services, compiled.plan)
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif not target:
        click.echo(compiled.text, nl=False, file=document_stream())


def _said_by_gitlab(text: str, *, fork: bool) -> tuple[str, ...]:
    if fork:
        return ("GitLab is not asked about a merge request from a fork",)
    from swath.gitlab.ci_lint import ask_gitlab

    return tuple(f"GitLab warns: {warning}" for warning in ask_gitlab(text, os.environ))


def _name_images(compiled: Compiled) -> tuple[str, ...]:
    """In a job: what the registry has already gets the tags of branch and release; what to say about it."""
    from swath.images.registry import name_images

    said = name_images(compiled.images, os.environ)
    return (said,) if said else ()


def _summary(compiled: Compiled) -> str:
    kinds = [decision.kind for decision in compiled.decisions.values()]
    planned = sum(len(job.stages) for job in compiled.plan.jobs)
    if not planned:
        return f"all {len(kinds)} stages are up to date"
    jobs = counted(len(compiled.plan.jobs), "job")
    later = "; the next level knows the rest" if compiled.plan.continues else ""
    images = f", {counted(len(compiled.builds), 'image')} to build" if compiled.builds else ""
    return f"{planned} of {counted(len(kinds), 'stage')} in {jobs}{images}{later}"
