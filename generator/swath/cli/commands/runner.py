"""`swath runner`: what the machines that run the jobs need."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from swath.cli.options import open_repository
from swath.cli.visible_streams import document_stream
from swath.emit.runner_config import EXECUTORS, RunnerOptions, runner_config
from swath.errors import UserError
from swath.job.planned import Workloads
from swath.load.settings import load_settings
from swath.load.workflows import load_workflows
from swath.model.invocation import Volume
from swath.model.volumes import volume_variable
from swath.plan.choose_runner import cheapest_runner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.dvc_border.repository import Repository
    from swath.emit.runner_config import Executor
    from swath.model.service import Resources
    from swath.model.settings import Settings, VolumeEntry

_SERVER: Final = "https://gitlab.example.com"
_MOUNTABLE: Final = ("/", "http://", "https://")


@click.group()
def runner() -> None:
    """Write the configuration of the GitLab runners that swath.yaml names."""


@runner.command()
@click.option("--executor", type=click.Choice(EXECUTORS), default="docker", help="How jobs start; default: docker.")
@click.option("--url", metavar="URL", help="The GitLab server; default: $CI_SERVER_URL, else a placeholder.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only the classes with this tag; repeatable.")
def config(*, executor: Executor, url: str | None, tags: tuple[str, ...]) -> None:
    """Print a config.toml for gitlab-runner, with one [[runners]] for each class of swath.yaml.

    Tokens are not in it: the comment on top says how they get there. SWATH_VOLUME_NAME in the environment says where
    a volume lies on the runners.
    """
    repository, _ = open_repository()
    settings = load_settings(repository.root)
    options = RunnerOptions(
        executor=executor,
        url=url or os.environ.get("CI_SERVER_URL") or _SERVER,
        tags=tags,
        volumes=_volumes(settings.volumes, os.environ),
        builds_on=cheapest_runner(settings.runners),
    )
    click.echo(runner_config(settings, _demands(repository, settings), options), nl=False, file=document_stream())


def _demands(repository: Repository, settings: Settings) -> list[Resources]:
    """What the stages ask for, as far as the workflows can be read: `swath lint` says what is wrong with them."""
    try:
        graph = load_workflows(repository).graph
        loads = Workloads(repository.root, settings)
        return [loads.demand(stage) for stage in graph.stages.values()]
    except UserError as error:
        click.echo(f"swath: shared memory is left out, since the workflows cannot be read: {error}", err=True)
        return []


def _volumes(entries: Mapping[str, VolumeEntry], environment: Mapping[str, str]) -> dict[str, Volume]:
    """The volumes as the runners see them: a path from this checkout's root means nothing there."""
    said = {name: environment.get(volume_variable(name)) or entry.path or "" for name, entry in entries.items()}
    return {
        name: Volume(name, path if path.startswith(_MOUNTABLE) else "", entries[name].read_only)
        for name, path in said.items()
    }
