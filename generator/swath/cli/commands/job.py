"""`swath job`: what the jobs of a compiled pipeline call."""

from __future__ import annotations

import os
import threading

import click

from swath.cli.commands.job_collect import collect
from swath.cli.interrupt import interruptible
from swath.cli.options import open_repository
from swath.cli.trust import keep_checkout_open, trust_checkout
from swath.job.run import JobOptions, run_job


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
    trust_checkout()
    repository, _ = open_repository()
    keep_checkout_open(repository)
    stop = threading.Event()
    with interruptible(stop):
        run_job(repository, JobOptions(name, plan_digest, environ, set_umask=os.umask), stop)


job.add_command(collect)
