"""`swath gc`: remove what no branch, tag, experiment or running pipeline names."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING

import click

from swath.clean.decide import KINDS
from swath.clean.environments import clean_environments, clean_scratch
from swath.clean.images import clean_images
from swath.clean.places import GcOptions, clean_cache, clean_remote
from swath.cli.options import json_option, open_repository
from swath.cli.trust import trust_checkout
from swath.execute.scratch import SCRATCH_FOLDER
from swath.job.store import lay_settings_over
from swath.model.units import Duration, Size, counted
from swath.schema.gc_document import gc_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swath.clean.collect import Removed
    from swath.clean.environments import OldThings
    from swath.dvc_border.repository import Repository
    from swath.schema.gc_document import PlaceDocument

_DEFAULT_AGE = "30d"
_NAMES = {  # one, several
    "entry": ("entry of the run cache", "entries of the run cache"),
    "listing": ("listing of a folder", "listings of folders"),
    "object": ("object", "objects"),
    "fragments": ("file of a pipeline", "files of pipelines"),
    "scratch": ("file or folder of checkpoints", "files or folders of checkpoints"),
    "temporary": ("half-written file", "half-written files"),
    "environment": ("environment", "environments"),
    "image": ("image", "images"),
}


def _some(number: int, kind: str) -> str:
    return f"{number} {_NAMES[kind][number != 1]}"


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go, and how much it frees.")
@click.option(
    "--remote",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="Clean a DVC remote; without NAME, the default one.",
)
@click.option("--cache", metavar="DIR", help="Clean this cache: the one that a runner's jobs share.")
@click.option(
    "--older-than", "age", default=_DEFAULT_AGE, show_default=True, metavar="AGE",
    help="What has changed, or was used, within this time stays.",
)  # fmt: skip
@click.option("--claim", is_flag=True, help="Say that the remote, or DIR, holds data of this repository alone.")
@json_option
def gc(*, dry_run: bool, remote: str | None, cache: str | None, age: str, claim: bool, as_json: bool) -> None:
    """Remove what no branch, tag, experiment or running pipeline names.

    On this machine: objects and run-cache entries in DVC's cache, checkpoints of work that was given up, environments
    and images that Swath has made. With --remote, a DVC remote instead: objects, run-cache entries, and what pipelines
    have left in it. What is named by a lock or a .dvc file of any ref, here or on the Git server, by a commit within
    the age, by the work tree, or by a pipeline within the age, stays.
    """
    if remote is not None and cache is not None:
        raise click.UsageError("--remote and --cache are two calls")
    if claim and remote is None and cache is None:
        raise click.UsageError("--claim says whose a remote or a cache is: give --remote or --cache")
    try:
        options = GcOptions(Duration.parse(age), dry_run=dry_run, claims=claim)
    except ValueError as error:
        raise click.UsageError(f"--older-than: {error}") from error
    trust_checkout()
    repository, _ = open_repository()
    lay_settings_over(repository, os.environ)
    removed: list[Removed] = []
    old: list[OldThings] = []
    if remote is not None:
        removed.append(clean_remote(repository, remote or None, options))
    else:
        removed.append(clean_cache(repository, cache, options))
        if cache is None:
            old += _of_this_machine(repository, options)
    if as_json:
        document = gc_document([*map(_document, removed), *map(_old_document, old)], dry_run=dry_run)
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for line in _lines(removed, old, dry_run=dry_run):
            click.echo(line)


def _of_this_machine(repository: Repository, options: GcOptions) -> Iterator[OldThings]:
    yield clean_scratch(repository.root / SCRATCH_FOLDER, options)
    yield clean_environments(os.environ, options)
    images = clean_images(repository.root, os.environ, options)
    if images is not None:
        yield images


def _document(removed: Removed) -> PlaceDocument:
    return {
        "place": removed.place,
        "removed": [{"kind": each.kind, "path": each.file.path, "bytes": each.file.size} for each in removed.files],
        "freed_bytes": removed.freed_bytes,
        "kept": removed.kept,
        "kept_bytes": removed.kept_bytes,
        "absent": list(removed.absent),
    }


def _old_document(old: OldThings) -> PlaceDocument:
    return {
        "place": old.place,
        "removed": [{"kind": old.kind, "path": each.name, "bytes": each.size} for each in old.things],
        "freed_bytes": old.freed_bytes,
        "kept": old.kept,
        "kept_bytes": old.kept_bytes,
        "absent": [],
    }


def _lines(removed: Sequence[Removed], old: Sequence[OldThings], *, dry_run: bool) -> Iterator[str]:
    verb = "would go" if dry_run else "removed"
    for each in removed:
        count = Counter(known.kind for known in each.files)
        sizes = Counter[str]()
        for known in each.files:
            sizes[known.kind] += known.file.size
        for kind in KINDS:
            if count[kind]:
                yield f"{each.place}: {_some(count[kind], kind)} {verb}, {Size(sizes[kind])}"
        if each.absent:
            folders = counted(len(each.absent), "folder")
            yield f"{each.place}: of {folders} that are named, the listing is not there: {', '.join(each.absent[:3])}"
        freed = f"{Size(each.freed_bytes)} {'would be freed' if dry_run else 'freed'}"
        yield f"{each.place}: {freed}, {Size(each.kept_bytes)} stay"
    for things in old:
        if things.things:
            yield f"{things.place}: {_some(len(things.things), things.kind)} {verb}, {Size(things.freed_bytes)}"
