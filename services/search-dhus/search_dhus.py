# SPDX-License-Identifier: GPL-3.0-or-later
"""Find Sentinel-2 scenes on a DHuS hub; write the list that makes the workflow's stages.

The same files as the service `search` writes, with the back end `dhus`: docs/reference/scene-format.md. What the hub
answers is checked again here. The account comes from DHUS_USER and DHUS_PASSWORD.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import geomet.wkt
import yaml
from hub import HubError, PassingError, connect, explained
from sentinelsat import SentinelAPI, geojson_to_wkt

Item = dict[str, Any]
EXIT_PASSING = 75
FIRST_BASELINE_WITH_OFFSET = "04.00"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look for: a box in degrees, days (both included), cloud cover in per cent, how many scenes (0: all)."""

    bbox: tuple[float, float, float, float] | None
    start: date
    end: date
    max_cloud: float
    limit: int
    collection: str
    query: str


def products(api: SentinelAPI, wish: Wish) -> dict[str, dict[str, Any]]:
    """What the hub gives for the wish: UUID → metadata."""
    keywords: dict[str, Any] = {"platformname": "Sentinel-2"}
    if wish.max_cloud < 100:
        keywords["cloudcoverpercentage"] = (0, f"{wish.max_cloud:g}")
    if wish.collection != "none":
        keywords["producttype"] = wish.collection
    after = datetime.combine(wish.end + timedelta(days=1), time())
    raw = None if wish.query == "none" else wish.query
    return api.query(  # type: ignore[no-any-return]
        area_wkt(wish.bbox), date=(datetime.combine(wish.start, time()), after), raw=raw, **keywords
    )


def area_wkt(bbox: tuple[float, float, float, float] | None) -> str | None:
    """The box as the text that a query wants."""
    if bbox is None:
        return None
    west, south, east, north = bbox
    rings = [box_ring(west, south, east, north)]
    if west > east:
        rings = [box_ring(west, south, 180.0, north), box_ring(-180.0, south, east, north)]
    polygons = [{"geometry": {"type": "Polygon", "coordinates": [ring]}} for ring in rings]
    return geojson_to_wkt({"type": "FeatureCollection", "features": polygons})  # type: ignore[no-any-return]


def box_ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    """A box as a closed ring."""
    return [[west, south], [west, north], [east, north], [east, south], [west, south]]


def item_of(uuid: str, metadata: dict[str, Any]) -> Item:
    """A STAC item with all that the hub says of a product."""
    geometry = geomet.wkt.loads(metadata["footprint"])
    points = [point[:2] for point in leaves(geometry["coordinates"])]
    longitudes, latitudes = [point[0] for point in points], [point[1] for point in points]
    said = {name: plain(value) for name, value in sorted(metadata.items())}
    level = "L2A" if "2A" in f"{metadata.get('processinglevel')}{metadata.get('producttype')}" else "L1C"
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": metadata["title"],
        "collection": metadata.get("producttype"),
        "geometry": geometry,
        "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
        "properties": {
            "datetime": plain(metadata["beginposition"]),
            "eo:cloud_cover": metadata.get("cloudcoverpercentage"),
            "s2:processing_baseline": metadata.get("processingbaseline") or "none",
            "swath:level": level,
            "dhus": said,
        },
        "links": [],
        "assets": {"product": {"href": uuid, "type": "application/zip", "roles": ["data"]}},
    }


def leaves(coordinates: list[Any]) -> list[list[float]]:
    """The points of nested coordinates."""
    if not isinstance(coordinates[0], (list, tuple)):
        return [list(coordinates)]
    return [point for part in coordinates for point in leaves(part)]


def plain(value: object) -> object:
    """A metadata value as JSON has it; times in UTC."""
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
        return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def instant(item: Item) -> datetime:
    """When the scene was taken, UTC."""
    return datetime.fromisoformat(item["properties"]["datetime"])


def refusal(item: Item, wish: Wish) -> str | None:
    """Why an item does not meet the wish; None: it does."""
    if not wish.start <= instant(item).date() <= wish.end:
        return "outside the dates"
    if wish.bbox and not meets(item["bbox"], wish.bbox):
        return "outside the box"
    cloud = item["properties"]["eo:cloud_cover"]
    if wish.max_cloud < 100 and (cloud is None or cloud > wish.max_cloud):
        return "too cloudy"
    if wish.collection not in {"none", item["collection"]}:
        return "of another collection"
    return None


def meets(box: list[float], wanted: tuple[float, float, float, float]) -> bool:
    """Whether a footprint's box and the wanted one, which may cross the antimeridian, share ground."""
    halves = [(wanted[0], wanted[2])] if wanted[0] <= wanted[2] else [(wanted[0], 180.0), (-180.0, wanted[2])]
    across = any(box[0] <= east and west <= box[2] for west, east in halves)
    return across and box[1] <= wanted[3] and wanted[1] <= box[3]


def choose(items: list[Item], wish: Wish) -> tuple[list[Item], Counter[str]]:
    """The items that meet the wish, sorted by id, and how many were refused for which reason."""
    reasons = [(item, refusal(item, wish)) for item in items]
    refused = Counter(reason for _, reason in reasons if reason)
    kept = {item["id"]: item for item, reason in reasons if not reason}
    best = sorted(kept.values(), key=lambda item: (item["properties"]["eo:cloud_cover"] or 0, item["id"]))
    return sorted(best[: wish.limit or None], key=lambda item: item["id"]), refused


def word(text: str) -> str:
    """The text as one shell word: whatever is not plainly safe is percent-encoded."""
    return quote(text, safe="/:@+-._%").replace("~", "%7E") or "none"


def entry(item: Item, url: str, truth: str) -> dict[str, str | float | int]:
    """What the download of this scene needs; every text is one shell word."""
    properties = item["properties"]
    baseline = str(properties["s2:processing_baseline"])
    shifted = re.fullmatch(r"\d\d\.\d\d", baseline) and baseline >= FIRST_BASELINE_WITH_OFFSET
    return {
        "assets": f"product={item['assets']['product']['href']}",
        "backend": "dhus",
        "base": word(url),
        "baseline": word(baseline),
        "cloud_cover": round(float(properties["eo:cloud_cover"] or 0), 4),
        "datetime": instant(item).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "digests": "none",
        "id": word(item["id"]),
        "level": properties["swath:level"],
        "offset": -1000 if shifted else 0,
        "simulated": "no",
        "truth": word(truth),
        "truth_digest": "none",
    }


def scene_keys(names: list[str]) -> dict[str, str]:
    """A key for each id: lower-case letters, digits and dashes; ids that look alike get a piece of their hash."""
    slugs = {name: re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "scene" for name in names}
    count = Counter(slugs.values())
    return {
        name: slug if count[slug] == 1 else f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        for name, slug in slugs.items()
    }


class Quoted(str):
    """A text that is always written in double quotes, so that no YAML reader takes it for a date or a number."""

    __slots__ = ()


class Dumper(yaml.SafeDumper):
    """Writes `Quoted`."""


Dumper.add_representer(
    Quoted, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style='"')
)


def scenes_text(entries: dict[str, dict[str, str | float | int]]) -> str:
    """scenes.yaml."""
    scenes = {
        key: {name: Quoted(value) if isinstance(value, str) else value for name, value in fields.items()}
        for key, fields in entries.items()
    }
    body = yaml.dump({"scenes": scenes}, Dumper=Dumper, sort_keys=True, width=100_000, allow_unicode=True)
    return "# Written by the search. It makes the workflow's stages; do not edit.\n" + body


def write_atomically(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def wish_from(arguments: argparse.Namespace) -> Wish:
    """The wish in the command line, checked."""
    box = tuple(arguments.bbox or ())
    if box and (len(box) != 4 or box[1] > box[3] or not all(-180 <= value <= 180 for value in box)):
        raise HubError("--bbox needs west, south, east, north in degrees: --bbox 14 --bbox 45 --bbox 15 --bbox 46")
    try:
        start, end = date.fromisoformat(arguments.start), date.fromisoformat(arguments.end)
    except ValueError as error:
        raise HubError(f"--start and --end are days, YYYY-MM-DD: {error}") from error
    if start > end:
        raise HubError(f"--start {start} is after --end {end}")
    return Wish(box or None, start, end, arguments.max_cloud, arguments.limit, arguments.collection, arguments.query)  # type: ignore[arg-type]


def search(arguments: argparse.Namespace) -> None:
    """Search, check, write both files."""
    wish = wish_from(arguments)
    api = connect(arguments.url, arguments.retries)
    with explained(arguments.url):
        found = products(api, wish)
    items, refused = choose([item_of(uuid, metadata) for uuid, metadata in found.items()], wish)
    dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items())) or "none dropped"
    if not items:
        raise HubError(f"no scene meets the search ({dropped}); widen --bbox, --start, --end or --max-cloud")
    keys = scene_keys([item["id"] for item in items])
    entries = {keys[item["id"]]: entry(item, arguments.url, arguments.truth) for item in items}
    collection = {"type": "FeatureCollection", "features": items}
    write_atomically(arguments.items, json.dumps(collection, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    write_atomically(arguments.scenes, scenes_text(entries))
    print(f"{len(items)} scenes; {dropped}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The command line; service.yaml says what each option is."""
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--url", required=True)
    for name in ("collection", "query", "truth"):
        result.add_argument(f"--{name}", default="none")
    result.add_argument("--bbox", type=float, action="append")
    result.add_argument("--start", default="2015-01-01")
    result.add_argument("--end", default="2099-12-31")
    result.add_argument("--max-cloud", type=float, default=100)
    result.add_argument("--limit", type=int, default=0)
    result.add_argument("--retries", type=int, default=4)
    result.add_argument("--scenes", type=Path, required=True)
    result.add_argument("--items", type=Path, required=True)
    return result


def main() -> int:
    """Read the arguments and search."""
    try:
        search(parser().parse_args())
    except HubError as error:
        print(f"search-dhus: {error}", file=sys.stderr)
        return 1
    except PassingError as error:
        print(f"search-dhus: {error}; try again later", file=sys.stderr)
        return EXIT_PASSING
    return 0


if __name__ == "__main__":
    sys.exit(main())
