"""The document that `swath gc --json` prints, version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 1


class RemovedDocument(TypedDict):
    """A thing that goes; `kind` is entry, listing, object, fragments, scratch, temporary, environment or image."""

    kind: str
    path: str
    bytes: int


class PlaceDocument(TypedDict):
    """A place: a remote, a cache, this machine's environments, an engine."""

    place: str
    removed: list[RemovedDocument]
    freed_bytes: int
    kept: int
    kept_bytes: int
    absent: list[str]


class GcDocument(TypedDict):
    """All of it."""

    version: int
    dry_run: bool
    freed_bytes: int
    places: list[PlaceDocument]


def gc_document(places: Iterable[PlaceDocument], *, dry_run: bool) -> GcDocument:
    """What went, or would go."""
    found = list(places)
    freed = sum(place["freed_bytes"] for place in found)
    return {"version": VERSION, "dry_run": dry_run, "freed_bytes": freed, "places": found}
