"""One fixed scale per band for all scenes, from training pixels alone.

A scale per image would shift the classes between dates and leak the test area; so the range of each band is the
2nd to 98th percentile (by default) over all training tiles of all scenes, and it is stored for whoever uses the
model.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import rasterio

HISTOGRAM_BINS = 65536  # one for each uint16 value: percentiles are exact, and memory does not grow with the scenes


def training_mask(tiles: dict[str, object]) -> np.ndarray:
    """Return which pixels lie in a training tile, shape (H, W) bool."""
    mask = np.zeros((tiles["height"], tiles["width"]), dtype=bool)
    size = tiles["size"]
    for tile in tiles["tiles"]:
        if tile["part"] == "train":
            mask[tile["row"] : tile["row"] + size, tile["column"] : tile["column"] + size] = True
    return mask


def add_scene(histograms: dict[str, np.ndarray], image: Path, tiles: dict[str, object]) -> None:
    """Count the values (uint16) of the scene's training pixels into the histogram of each band."""
    mask = training_mask(tiles)
    with rasterio.open(image) as scene:
        if histograms and list(scene.descriptions) != list(histograms):
            raise SystemExit(f"{image}: bands {scene.descriptions}, but other scenes have {tuple(histograms)}")
        for index, name in enumerate(scene.descriptions, start=1):
            values = scene.read(index)[mask]
            counts = np.bincount(values[values != 0], minlength=HISTOGRAM_BINS)
            histograms[name] = histograms.get(name, np.zeros(HISTOGRAM_BINS, dtype=np.int64)) + counts


def percentile(histogram: np.ndarray, share: float) -> int:
    """Return the smallest value that at least `share` of the counted pixels do not exceed."""
    total = histogram.cumsum()
    return int(np.searchsorted(total, max(share * total[-1], 1)))


def describe_band(name: str, histogram: np.ndarray, low: float, high: float) -> dict[str, object]:
    """Return the scale and the moments of one band, in digital numbers (reflectance x 10000)."""
    count = int(histogram.sum())
    if count == 0:
        raise SystemExit(f"band {name}: no training pixel has data; check the split and the cloud masks")
    values = np.arange(HISTOGRAM_BINS)
    mean = float((histogram * values).sum() / count)
    deviation = float(np.sqrt((histogram * (values - mean) ** 2).sum() / count))
    minimum, maximum = percentile(histogram, low), percentile(histogram, high)
    return {
        "name": name, "minimum": minimum, "maximum": max(maximum, minimum + 1),
        "mean": round(mean, 3), "deviation": round(deviation, 3),
    }  # fmt: skip


def describe_bands(images: Path, tiles: Path, low: float, high: float) -> dict[str, object]:
    """Return the scale document over all scenes `images`/KEY.tif with their `tiles`/KEY/tiles.json."""
    histograms: dict[str, np.ndarray] = {}
    paths = sorted(images.glob("*.tif"))
    for image in paths:
        add_scene(histograms, image, json.loads((tiles / image.stem / "tiles.json").read_text(encoding="utf-8")))
    if not paths:
        raise SystemExit(f"{images}: no scene; did the search find any?")
    bands = [describe_band(name, histogram, low, high) for name, histogram in histograms.items()]
    return {
        "version": 1,
        "unit": "reflectance x 10000",
        "percentiles": [low, high],
        "scenes": len(paths),
        "bands": bands,
    }


def main() -> None:
    """Read the arguments and write the scale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of filtered scenes")
    parser.add_argument("--tiles", type=Path, required=True, help="folder with a folder of tiles for each scene")
    parser.add_argument("--low", type=float, default=0.02, help="share of pixels below the scale")
    parser.add_argument("--high", type=float, default=0.98, help="share of pixels up to the scale's end")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    document = describe_bands(arguments.images, arguments.tiles, arguments.low, arguments.high)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    temporary = arguments.out.with_name(f".{arguments.out.name}.part")
    temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, arguments.out)
    for band in document["bands"]:
        print(f"{band['name']}: {band['minimum']} to {band['maximum']}, mean {band['mean']:.0f}")


if __name__ == "__main__":
    main()
