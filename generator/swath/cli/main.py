"""The command line: dispatch, and the one place where errors become messages and exit codes.

Commands are imported when they are called, so that `swath --help` starts without DVC and rich.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING, Final

import click

from swath.cli.visible_streams import visible_streams
from swath.errors import EXIT_BUG, EXIT_OK, InterruptedRunError, SwathError, UsageError, fault_of_system

if TYPE_CHECKING:
    from collections.abc import Sequence

# Name to the module and a line for the overview; the order is the one in which a newcomer needs them.
COMMANDS: Final = {
    "init": ("init", "Write what a DVC repository needs to run in GitLab CI."),
    "lint": ("lint", "Check dvc.yaml and services against each other, without running anything."),
    "plan": ("plan", "Say for each stage whether it would run, and why."),
    "run": ("run", "Bring stages up to date, in parallel, on this machine."),
    "exec": ("exec_help", "Run one service, inside a stage's cmd."),
    "compile": ("compile", "Write the GitLab CI pipeline that brings stages up to date."),
    "image": ("image", "Push Swath's own image, and list the images of all services."),
    "job": ("job", "What GitLab jobs call: run stages, record results."),
    "runner": ("runner", "Write the configuration of the GitLab runners."),
    "gc": ("gc", "Remove what no branch, tag, experiment or running pipeline names."),
    "verify": ("verify", "Run recorded stages again, and say which give something else."),
    "service": ("service", "List, show, make, build and test services."),
}


class _Commands(click.Group):
    """Commands that are imported when somebody calls them."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"swath.cli.commands.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            from swath.model.suggestion import did_you_mean

            hint = did_you_mean(args[0], COMMANDS) or "see: swath --help"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}", context)
        return super().resolve_command(context, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="swath", message="%(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Log each decision to stderr.")
def cli(*, verbose: bool) -> None:
    """Train AI models on large data that must not leave the house.

    Workflows are DVC stages; each runs a service. Swath checks them, runs what is out of date in parallel on this
    machine, and keeps dvc.lock as DVC itself would.
    """
    if verbose:
        import logging

        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s", stream=sys.stderr)
        for noisy in ("fsspec", "asyncio", "urllib3", "docker"):
            logging.getLogger(noisy).setLevel(logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code, by the table in `errors.py`.
    """
    gc.set_threshold(200_000, 20, 50)  # short-lived, with many small values: a plan of 10,000 stages gains a fifth
    with visible_streams():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    code = EXIT_OK
    try:
        result = cli.main(args=arguments, prog_name="swath", standalone_mode=False)
        code = result if isinstance(result, int) else EXIT_OK
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.ClickException as error:
        error.show()
        code = UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("swath: interrupted", file=sys.stderr)
        code = InterruptedRunError.exit_code
    except BrokenPipeError:  # the reader of our output has gone, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - the boundary: a bug ends here, with what a report of it needs
        fault = fault_of_system(error) if isinstance(error, OSError) else error
        code = _tell(fault) if isinstance(fault, SwathError) else _report_bug()
    return code


def _tell(fault: SwathError) -> int:
    with contextlib.suppress(OSError):  # who reads may have gone, or has no space; the exit code tells
        print(f"swath: {fault}", file=sys.stderr, flush=True)
    return fault.exit_code


def _report_bug() -> int:
    import platform
    from importlib.metadata import version

    print("swath: this is a bug in Swath. Please report what follows:\n", file=sys.stderr)
    versions = ", ".join(f"{name} {version(name)}" for name in ("swath", "dvc", "click"))
    print(f"{versions}, Python {platform.python_version()}, {platform.platform()}", file=sys.stderr)
    print(f"arguments: {sys.argv[1:]}", file=sys.stderr)
    traceback.print_exc()
    return EXIT_BUG
