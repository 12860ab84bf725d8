"""`swath image`: push Swath's own image, and say which images the registry has."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Final

import click

from swath.cli.options import json_option
from swath.errors import UserError
from swath.images.listing import image_states, repository_images
from swath.images.reference import resolved
from swath.images.registry import push_image_parts
from swath.images.service_image import swath_image
from swath.images.swath_image import build_swath_image, write_archive
from swath.images.tool_layer import REMOTES
from swath.load.repository_root import find_root, working_folder
from swath.load.services import load_services
from swath.load.settings import load_settings
from swath.model.suggestion import did_you_mean, one_of

VERSION: Final = 1
_SCHEMES: Final = {"https": "http", "webdavs": "webdav"}  # of URLs, to DVC's kinds


@click.group()
def image() -> None:
    """Push Swath's own image, and list all images of the repository."""


@image.command()
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A further tag, beside Swath's version; repeatable.")
@click.option(
    "--remotes", metavar="KINDS", help="DVC remotes that it can use, such as s3,ssh; else those of .dvc/config."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write an archive for `docker load` instead.",
)
def push(*, tags: tuple[str, ...], remotes: str | None, output: Path | None) -> None:
    """Make the image that all own jobs run in, with the tool layer for service images, and push it.

    Needs Debian or Ubuntu on x86-64 (apt-get and dpkg-deb, no root), but no Docker. Do it again after an update of
    Swath. The registry is `registry:` of swath.yaml.
    """
    root = find_root(working_folder())
    reference = swath_image(load_settings(root))
    kinds = _kinds(remotes) if remotes is not None else remotes_of_config(root)
    name = output.name if output else resolved(reference, os.environ)
    with tempfile.TemporaryDirectory(prefix="swath-image-") as folder:
        built = build_swath_image(
            Path(folder), kinds, reference.rpartition(":")[2], lambda what: click.echo(what, err=True)
        )
        size = sum(layer.size for layer in built.layers)
        click.echo(f"{size / 1e6:.0f} MB packed, DVC remotes: {', '.join(['folders', *kinds])}", err=True)
        if output:
            local = f"swath:{reference.rpartition(':')[2]}"
            write_archive(built, local, output)
            click.echo(f"{output}: load it with `docker load -i {output}`; it is {local} there")
            return
        sent = push_image_parts(built, reference, tags, os.environ)
    click.echo(f"{name} is in the registry ({sent / 1e6:.0f} MB sent), {built.digest}")


@image.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the images of all services: the tag of their content, and whether the registry has it."""
    root = find_root(working_folder())
    settings = load_settings(root)
    images = repository_images(load_services(root).values(), root, settings, os.environ)
    states = image_states(images, os.environ)
    if as_json:
        rows = [
            {
                "service": state.image.service,
                "variant": state.image.variant,
                "image": state.address,
                "present": state.is_present,
            }
            for state in states
        ]
        click.echo(json.dumps({"version": VERSION, "images": rows}, indent=2))
        return
    for state in states:
        click.echo(f"{'present' if state.is_present else 'missing'}  {state.address}")


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(sorted({word.strip() for word in text.split(",") if word.strip()}))
    for kind in kinds:
        if kind not in REMOTES:
            hint = did_you_mean(kind, REMOTES) or one_of(REMOTES)
            raise UserError(f"--remotes: DVC has no kind of remote '{kind}'", hint=hint)
    return kinds


def remotes_of_config(root: Path) -> tuple[str, ...]:
    """The kinds of the remotes that the repository's DVC config names."""
    from swath.cli.options import repository_at

    urls = [str(remote.get("url", "")) for remote in repository_at(root).config.get("remote", {}).values()]
    schemes = {url.partition("://")[0] for url in urls if "://" in url}
    return tuple(sorted({_SCHEMES.get(scheme, scheme) for scheme in schemes} & set(REMOTES)))
