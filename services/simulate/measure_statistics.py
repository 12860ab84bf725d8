"""Measure class-wise band statistics of a labelled Sentinel-2 patch, for `simulate.py` to draw from.

Run once, by hand, on the eo-learn patch of Slovenia (13-band GeoTIFFs of several dates and a land-use raster):

    python measure_statistics.py FOLDER statistics.json

Only figures leave this program: per date and class the number of pixels, the mean of each band and the covariance of
the bands. Forest is cut into three equal parts by its near-infrared brightness, averaged over the clear dates and 3 x 3
pixels; that the dark part stands for conifer and the bright one for broadleaf is our assumption, not a label.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import rasterio

FOREST = 2
NAMES = {3: "grassland", 4: "shrubland", 8: "built_up"}
NIR = 8  # B8A in the order B01 ... B8A B09 ... B12
ORIGIN = (
    "eo-learn example data, github.com/sentinel-hub/eo-learn, commit 303e758 (MIT): REFERENCE_SCENES.npy and "
    "TestEOPatch; land use from the register of the Slovenian Ministry of Agriculture, Forestry and Food (RABA)"
)
ATTRIBUTION = "Contains modified Copernicus Sentinel data [2015]"


def describe(pixels: np.ndarray) -> dict[str, object]:
    """The figures of one class: `pixels` has a row per pixel and a column per band, in reflectance x 10000."""
    return {
        "pixels": int(pixels.shape[0]),
        "mean": [round(float(value), 1) for value in pixels.mean(axis=0)],
        "covariance": [[round(float(value), 1) for value in row] for row in np.cov(pixels, rowvar=False)],
    }


def smooth(image: np.ndarray) -> np.ndarray:
    """The mean of 3 x 3 pixels, edges repeated."""
    padded = np.pad(image, 1, mode="edge")
    height, width = image.shape
    parts = [padded[row : row + height, column : column + width] for row in range(3) for column in range(3)]
    return np.asarray(np.sum(parts, axis=0) / 9)


def forest_parts(labels: np.ndarray, clear: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Masks of the dark, middle and bright third of the forest."""
    brightness = smooth(np.mean([scene[NIR] for scene in clear], axis=0))
    forest = labels == FOREST
    low, high = np.quantile(brightness[forest], [1 / 3, 2 / 3])
    return {
        "forest_dark": forest & (brightness <= low),
        "forest_middle": forest & (brightness > low) & (brightness <= high),
        "forest_bright": forest & (brightness > high),
    }


def measure(folder: Path) -> dict[str, object]:
    """All figures of the patch in `folder`."""
    with rasterio.open(folder / "geotiff" / "LULC.tif") as dataset:
        labels = dataset.read(1)
    clear: dict[str, np.ndarray] = {}
    cloudy: dict[str, np.ndarray] = {}
    bands: list[str] = []
    for path in sorted((folder / "geotiff").glob("S2*.tif")):
        with rasterio.open(path) as dataset:
            tags = dataset.tags()
            bands = list(dataset.descriptions)
            (cloudy if float(tags["CLOUD_FRACTION"]) > 0.5 else clear)[tags["ACQUISITION"][:8]] = dataset.read().astype(
                "float64"
            )
    masks = {name: labels == number for number, name in NAMES.items()} | forest_parts(labels, list(clear.values()))
    return {
        "about": "Class-wise statistics of top-of-atmosphere reflectance x 10000; made by measure_statistics.py",
        "origin": ORIGIN,
        "attribution": ATTRIBUTION,
        "bands": bands,
        "clear": {
            date: {name: describe(scene[:, mask].T) for name, mask in sorted(masks.items())}
            for date, scene in clear.items()
        },
        "cloud": {date: describe(scene.reshape(len(bands), -1).T) for date, scene in cloudy.items()},
    }


def main() -> int:
    """Read the arguments, write the figures."""
    parser = argparse.ArgumentParser(description="Measure class-wise band statistics.")
    parser.add_argument("folder", type=Path, help="folder with geotiff/S2*.tif and geotiff/LULC.tif")
    parser.add_argument("out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    text = json.dumps(measure(arguments.folder), indent=None, separators=(",", ":"))
    arguments.out.write_text(text.replace('"clear"', '\n"clear"').replace('{"pixels"', '\n{"pixels"') + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
