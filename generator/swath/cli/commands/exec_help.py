"""`swath exec` in the overview of commands; the command itself is `cli/exec.py`, which starts without click."""

from __future__ import annotations

import sys

import click


@click.command("exec", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def exec_command(words: tuple[str, ...]) -> None:
    """Run one service with checked arguments."""
    from swath.cli.exec import main

    sys.exit(main(list(words)))


globals()["exec"] = exec_command
