"""`swath init`: make a DVC repository run in GitLab CI."""

from __future__ import annotations

import textwrap
from typing import Final

import click

from swath.cli.options import open_repository
from swath.job.setup import set_up

_SAID: Final = {
    "written": "written",
    "changed": "lines added",
    "unchanged": "as it should be",
    "kept": "is there and differs; left as it is",
}


@click.command()
@click.option("--force", is_flag=True, help="Write swath.yaml and Swath's CI file anew, whatever was changed in them.")
def init(*, force: bool) -> None:
    """Write what a DVC repository needs to run in GitLab CI: swath.yaml, .gitlab-ci.yml and lines of .dvcignore.

    Nothing that is there is overwritten without --force; a .gitlab-ci.yml that is not Swath's gets an include.
    """
    repository, _ = open_repository()
    done = set_up(repository, force=force)
    width = max(map(len, done.files))
    for name, what in done.files.items():
        click.echo(f"{name:{width}}  {_SAID[what]}")
    for note in done.notes:
        click.echo(f"\n{note}")
    click.echo("\nWhat is left to do:")
    for number, step in enumerate(done.steps, 1):
        click.echo(textwrap.indent(step, "     ").replace("    ", f"{number:3}.", 1))
