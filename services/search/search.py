"""Find scenes by place, time and cloud cover; write the list that makes the workflow's stages.

Two back ends: `archive` (a catalogue file, or catalogue.json in a folder or HTTP store) and `stac` (any STAC API,
through pystac-client). What a hub answers is checked again here: some ignore the filter for cloud cover. The result is
sorted and one scene's entry depends on that scene alone. Formats: docs/reference/scene-format.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import yaml
from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from pystac_client.warnings import DoesNotConformTo
from requests.adapters import HTTPAdapter
from urllib3 import Retry

Item = dict[str, Any]
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
COMMON = {
    "coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05", "rededge2": "B06",
    "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09", "cirrus": "B10", "swir16": "B11", "swir22": "B12",
    "scl": "scl", "SCL": "scl",
}  # fmt: skip
FINEST = {f"{band}_{size}m": (band, size) for band in (*BANDS, "SCL") for size in (10, 20, 60)}
LARGEST_ANSWER = 20_000
"""Scenes; a hub that gives more is asked too broadly, or pages in a circle."""
PASSING = 75
PASSING_STATUS = (429, 500, 502, 503, 504)


class SearchError(Exception):
    """The search cannot be done as asked."""


class PassingError(Exception):
    """The hub does not answer now; it may later."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look for: a box in degrees, days, cloud cover in per cent, how many scenes (0: all)."""

    bbox: tuple[float, float, float, float] | None
    start: date
    end: date
    max_cloud: float
    limit: int
    collection: str | None


def word(text: str) -> str:
    """The text as one shell word: whatever is not plainly safe is percent-encoded."""
    safe = quote(text, safe="/:@+-._%").replace("~", "%7E")
    return ("%2D" + safe[1:] if safe.startswith("-") else safe) or "none"


def instant(item: Item) -> datetime:
    """When the scene was taken, UTC."""
    properties = item["properties"]
    value = properties.get("datetime") or properties.get("start_datetime")
    if not value:
        raise SearchError(f"{item.get('id')}: the catalogue gives no time")
    taken = datetime.fromisoformat(value)
    return taken.replace(tzinfo=taken.tzinfo or UTC).astimezone(UTC)


def meets(box: Iterable[float], wanted: tuple[float, float, float, float]) -> bool:
    """Whether two boxes share ground; a box that crosses the antimeridian has west > east."""
    numbers = list(box)
    west, south, east, north = numbers if len(numbers) == 4 else (*numbers[:2], *numbers[3:5])
    if not (south <= wanted[3] and wanted[1] <= north):
        return False
    return any(a <= d and c <= b for a, b in halves(west, east) for c, d in halves(wanted[0], wanted[2]))


def halves(west: float, east: float) -> list[tuple[float, float]]:
    """The longitudes of a box, as ranges that do not cross the antimeridian."""
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]


def refusal(item: Item, wish: Wish) -> str | None:
    """Why an item does not meet the wish; None: it does."""
    if wish.collection and item.get("collection") != wish.collection:
        return "of another collection"
    if not wish.start <= instant(item).date() <= wish.end:
        return "outside the dates"
    if wish.bbox and not meets(item["bbox"], wish.bbox):
        return "outside the box"
    without = None if {"image", *BANDS} & band_assets(item).keys() else "without bands as GeoTIFF"
    return cloud_refusal(item, wish.max_cloud) or without


def cloud_refusal(item: Item, most: float) -> str | None:
    """Why an item is too cloudy; None: it is not."""
    cloud = item["properties"].get("eo:cloud_cover")
    if cloud is None and most < 100:
        return "of unknown cloud cover"
    return "too cloudy" if cloud is not None and cloud > most else None


def cloud_cover(item: Item) -> float:
    """Per cent; what is not known counts as overcast."""
    value = item["properties"].get("eo:cloud_cover")
    return 100.0 if value is None else round(float(value), 4)


def choose(items: Iterable[Item], wish: Wish) -> tuple[list[Item], Counter[str]]:
    """The items that meet the wish, sorted by id, and how many were refused for which reason."""
    refused: Counter[str] = Counter()
    kept: dict[str, Item] = {}
    for count, item in enumerate(items):
        if count == LARGEST_ANSWER:
            raise SearchError(f"more than {LARGEST_ANSWER} scenes answer; narrow --bbox, --start or --end")
        reason = refusal(item, wish)
        if reason:
            refused[reason] += 1
        else:
            kept[item["id"]] = item
    best = sorted(kept.values(), key=lambda item: (cloud_cover(item), item["id"]))
    return sorted(best[: wish.limit or None], key=lambda item: item["id"]), refused


def retries(wait_s: float) -> Retry:
    """Five more attempts, each after twice the time, or after what the server asks for."""
    return Retry(total=5, backoff_factor=wait_s, status_forcelist=PASSING_STATUS, allowed_methods=None, backoff_max=60)


def stac_items(url: str, wish: Wish, wait_s: float) -> Iterator[Item]:
    """All items that a STAC API gives for the wish; its paging is pystac-client's."""
    try:
        client = Client.open(url, stac_io=StacApiIO(max_retries=retries(wait_s), timeout=60))
        conditions: dict[str, Any] = {}
        if wish.max_cloud < 100:
            declared = client.get_conforms_to()
            if any("item-search#filter" in name for name in declared):
                argument = [{"property": "eo:cloud_cover"}, wish.max_cloud]
                conditions = {"filter": {"op": "<=", "args": argument}, "filter_lang": "cql2-json"}
            elif any("item-search#query" in name for name in declared):
                conditions = {"query": {"eo:cloud_cover": {"lte": wish.max_cloud}}}
        search = client.search(
            collections=[wish.collection] if wish.collection else None,
            bbox=wish.bbox,
            datetime=f"{wish.start}T00:00:00Z/{wish.end}T23:59:59Z",
            limit=100,
            **conditions,
        )
        yield from search.items_as_dicts()
    except APIError as error:
        status = getattr(error, "status_code", None)
        text = str(error).strip().splitlines() or ["no message"]
        if status is None or status in PASSING_STATUS:
            raise PassingError(f"{url} does not answer: {text[0][:200]}") from error
        if status in (401, 403):
            raise SearchError(f"{url} refuses the access ({status}): it needs an account") from error
        raise SearchError(f"{url} refuses the search ({status}): {text[0][:200]}") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise PassingError(f"{url} does not answer: {type(error).__name__}") from error
    except (DoesNotConformTo, ValueError, KeyError, TypeError) as error:
        raise SearchError(f"{url} does not answer as a STAC API: {error}") from error


def archive_items(archive: str, catalogue: Path | None, wait_s: float) -> list[Item]:
    """The items of a catalogue file, or of catalogue.json in the archive."""
    try:
        if catalogue is not None:
            name, text = str(catalogue), catalogue.read_text()
        elif urlsplit(archive).scheme in ("http", "https"):
            name = archive.rstrip("/") + "/catalogue.json"
            text = fetched(name, wait_s)
        else:
            name = str(Path(archive) / "catalogue.json")
            text = Path(name).read_text()
        return list(json.loads(text)["features"])
    except OSError as error:
        raise SearchError(f"{error.filename}: {error.strerror}; `swath exec catalogue` writes it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SearchError(f"{name}: is no STAC ItemCollection") from error


def fetched(url: str, wait_s: float) -> str:
    """The text at an address."""
    try:
        with requests.Session() as session:
            session.mount("http", HTTPAdapter(max_retries=retries(wait_s)))
            answer = session.get(url, timeout=60)
    except requests.RequestException as error:
        raise PassingError(f"{url} does not answer: {type(error).__name__}") from error
    if not answer.ok:
        raise SearchError(f"{url}: the server says {answer.status_code} {answer.reason}")
    return answer.content.decode()


def band_assets(item: Item) -> dict[str, dict[str, Any]]:
    """The assets we use, by our names: image, clouds, or a band each at its finest resolution, and scl."""
    found: dict[str, dict[str, Any]] = {}
    sizes: dict[str, int] = {}
    for key, asset in item.get("assets", {}).items():
        kind = asset.get("type") or ""
        if key in ("image", "clouds") or (key in BANDS and "jp2" not in key):
            found[key] = asset
        elif key in COMMON and "jp2" not in kind:
            found[COMMON[key]] = asset
        elif key in FINEST:
            band, size = FINEST[key]
            name = "scl" if band == "SCL" else band
            if size < sizes.get(name, 1000):
                found[name], sizes[name] = asset, size
    order = {name: index for index, name in enumerate(("image", *BANDS, "scl", "clouds"))}
    return dict(sorted(found.items(), key=lambda pair: order[pair[0]]))


def digest(asset: dict[str, Any]) -> str | None:
    """`md5:HEX:BYTES` or `sha256:HEX:BYTES` from the multihash of the file extension; None where there is none."""
    multihash = str(asset.get("file:checksum", ""))
    for prefix, name, length in (("d50110", "md5", 32), ("1220", "sha256", 64)):
        if multihash.startswith(prefix) and len(multihash) == len(prefix) + length:
            return f"{name}:{multihash.removeprefix(prefix)}:{asset.get('file:size', 0)}"
    return None


def offset_of(item: Item, assets: dict[str, dict[str, Any]], baseline: str) -> int:
    """What to add to the numbers: what the catalogue says of the bands, else what the processing baseline means."""
    properties = item["properties"]
    if "swath:offset" in properties:
        return int(properties["swath:offset"])
    if properties.get("earthsearch:boa_offset_applied") is True:
        return 0
    for name, asset in assets.items():
        bands = asset.get("raster:bands") or asset.get("bands") or []
        own = {"raster:offset": asset.get("raster:offset"), **(bands[0] if bands else {})}
        value = own.get("raster:offset", own.get("offset"))
        if name in ("image", *BANDS) and value is not None:
            return round(float(value) * 10000)
    return -1000 if re.fullmatch(r"\d\d\.\d\d", baseline) and baseline >= "04.00" else 0


def level_of(item: Item) -> str:
    """L1C or L2A, from whatever says it: a property, the collection, the id."""
    properties = item["properties"]
    names = [properties.get(name) for name in ("swath:level", "processing:level", "s2:product_type", "product:type")]
    for text in (*names, item.get("collection"), item["id"]):
        found = re.search(r"L?(1C|2A)", str(text or "").upper())
        if found:
            return f"L{found[1]}"
    return "L2A" if "scl" in band_assets(item) else "L1C"


def common_base(hrefs: list[str]) -> str:
    """The folder that all addresses start with, ending in a slash; "." for paths in an archive."""
    if any("://" not in href for href in hrefs):
        return "."
    start = hrefs[0].rsplit("/", 1)[0] + "/"
    while not all(href.startswith(start) for href in hrefs):
        start = start.rstrip("/").rsplit("/", 1)[0] + "/"
    return start


def entry(item: Item, backend: str, truth: str) -> dict[str, str | float | int]:
    """What the download of this scene needs; every text is one shell word."""
    assets = band_assets(item)
    properties = item["properties"]
    baseline = str(properties.get("s2:processing_baseline") or properties.get("processing:version") or "none")
    hrefs = {name: str(asset["href"]) for name, asset in assets.items()}
    base = common_base(list(hrefs.values()))
    digests = {name: digest(asset) for name, asset in assets.items()}
    own_truth = item["assets"].get("truth", {}) if truth == "none" else {"href": truth}
    return {
        "assets": ",".join(
            f"{name}={word(href.removeprefix(base)).replace(',', '%2C').replace('=', '%3D')}"
            for name, href in hrefs.items()
        ),
        "backend": backend,
        "base": word(base),
        "baseline": word(baseline),
        "cloud_cover": cloud_cover(item),
        "datetime": instant(item).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "digests": ",".join(f"{name}={value}" for name, value in digests.items() if value) or "none",
        "id": word(item["id"]),
        "level": level_of(item),
        "offset": offset_of(item, assets, baseline),
        "simulated": "yes" if properties.get("swath:simulated") else "no",
        "truth": word(own_truth.get("href", "none")),
        "truth_digest": digest(own_truth) or "none",
    }


def scene_key(name: str) -> str:
    """Lower-case letters, digits and dashes; a piece of its hash where the id has something else than - and _."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if slug and re.fullmatch(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*", name):
        return slug
    return f"{slug or 'scene'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def scene_keys(names: list[str]) -> dict[str, str]:
    """The key of each id; a key depends on its own id alone."""
    owners: dict[str, str] = {}
    for name in names:
        other = owners.setdefault(scene_key(name), name)
        if other != name:
            raise SearchError(f"the ids {other} and {name} differ only in case, - and _: rename one")
    return {name: key for key, name in owners.items()}


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


def write(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def day(text: str) -> date:
    """A day, YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SearchError(f"{text!r} is no day; write YYYY-MM-DD") from error


def wish_from(arguments: argparse.Namespace) -> Wish:
    """The wish in the command line, checked."""
    box = tuple(arguments.bbox or ())
    if box and (len(box) != 4 or box[1] > box[3] or not all(-180 <= value <= 180 for value in box)):
        raise SearchError("--bbox needs west, south, east, north in degrees: --bbox 14 --bbox 45 --bbox 15 --bbox 46")
    start, end = day(arguments.start), day(arguments.end)
    if start > end:
        raise SearchError(f"--start {start} is after --end {end}")
    collection = None if arguments.collection == "none" else arguments.collection
    return Wish(box or None, start, end, arguments.max_cloud, arguments.limit, collection)  # type: ignore[arg-type]  # four numbers


def found_items(arguments: argparse.Namespace, wish: Wish) -> Iterable[Item]:
    """What the chosen back end has."""
    if arguments.backend == "dhus":
        raise SearchError(
            "DHuS hubs have services of their own, search-dhus and download-dhus: see docs/how-to/use-a-dhus-hub.md"
        )
    if arguments.backend == "stac":
        if arguments.url == "none":
            raise SearchError("--backend stac needs --url, such as https://earth-search.aws.element84.com/v1")
        return stac_items(arguments.url, wish, arguments.retry_wait)
    if arguments.archive == "none" and arguments.catalogue is None:
        raise SearchError("--backend archive needs --catalogue or --archive")
    return archive_items(arguments.archive, arguments.catalogue, arguments.retry_wait)


def search(arguments: argparse.Namespace) -> None:
    """Search, check, write both files."""
    wish = wish_from(arguments)
    items, refused = choose(found_items(arguments, wish), wish)
    dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items())) or "none dropped"
    if not items:
        raise SearchError(f"no scene meets the search ({dropped}); widen --bbox, --start, --end or --max-cloud")
    keys = scene_keys([item["id"] for item in items])
    entries = {keys[item["id"]]: entry(item, arguments.backend, arguments.truth) for item in items}
    collection = {"type": "FeatureCollection", "features": items}
    write(arguments.items, json.dumps(collection, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    write(arguments.scenes, scenes_text(entries))
    print(f"{len(items)} scenes; {dropped}", file=sys.stderr)


def main() -> int:
    """Read the arguments and search."""
    parser = argparse.ArgumentParser(description="Find scenes.")
    parser.add_argument("--backend", choices=("archive", "stac", "dhus"), default="archive")
    for name in ("archive", "url", "collection", "truth"):
        parser.add_argument(f"--{name}", default="none")
    parser.add_argument("--catalogue", type=Path)
    parser.add_argument("--bbox", type=float, action="append")
    parser.add_argument("--start", default="0001-01-01")
    parser.add_argument("--end", default="9999-12-31")
    parser.add_argument("--max-cloud", type=float, default=100)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--retry-wait", type=float, default=float(os.environ.get("SWATH_RETRY_WAIT_S", "1")))
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--items", type=Path, required=True)
    try:
        search(parser.parse_args())
    except SearchError as error:
        print(f"search: {error}", file=sys.stderr)
        return 1
    except PassingError as error:
        print(f"search: {error}; try again later", file=sys.stderr)
        return PASSING
    return 0


if __name__ == "__main__":
    sys.exit(main())
