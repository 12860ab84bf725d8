"""`swath job`: what the jobs of a compiled pipeline call."""

from __future__ import annotations

import os
import threading
from typing import Final

import click

from swath.cli.commands.job_collect import collect
from swath.cli.interrupt import interruptible
from swath.cli.options import open_repository
from swath.job.run import JobOptions, run_job

# The runner's helper checked the files out, as another user: Git is to trust them all the same.
_TRUST: Final = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


@click.group()
def job() -> None:
    """What GitLab jobs call: run a job's stages, record a pipeline's results."""


@job.command()
@click.argument("name")
@click.option("--plan-digest", metavar="HEX", required=True, help="Stop if the plan of this checkout is another.")
def run(*, name: str, plan_digest: str) -> None:
    """Run the stages of the job NAME, and push what they make.

    The plan is worked out again from the checkout and SWATH_DECISIONS. What is finished is pushed at once, and noted in
    the DVC remote: a job that is run again goes on from there.
    """
    environ = dict(os.environ)
    if "GIT_CONFIG_COUNT" not in os.environ:
        os.environ.update(_TRUST)
    repository, _ = open_repository()
    stop = threading.Event()
    with interruptible(stop):
        run_job(repository, JobOptions(name, plan_digest, environ), stop)


job.add_command(collect)
