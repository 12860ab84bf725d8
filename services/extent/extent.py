"""Read where a scene lies: grid, bounds and the ground that has data.

Input is a scene's folder (`scene.tif`, bands as uint16, 0 = no data). Output is a JSON file, in the raster's
CRS unless a key says otherwise; see README.md.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.features import shapes
from rasterio.warp import transform_bounds

FOOTPRINT_EDGE_PX = 1024  # larger scenes are looked at in steps: the footprint is a search aid, not a mask


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a neighbouring temporary file and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def valid_mask(scene: rasterio.DatasetReader) -> tuple[np.ndarray, rasterio.Affine]:
    """Return where any band has data, shape (H', W') bool with H', W' ≤ FOOTPRINT_EDGE_PX, and its transform."""
    step = max(1, -(-max(scene.height, scene.width) // FOOTPRINT_EDGE_PX))
    shape = (-(-scene.height // step), -(-scene.width // step))
    valid = np.zeros(shape, dtype=bool)
    for band in scene.indexes:
        valid |= scene.read(band, out_shape=shape, resampling=Resampling.nearest) != 0
    scale = rasterio.Affine.scale(scene.width / shape[1], scene.height / shape[0])
    return valid, scene.transform * scale


def footprint(valid: np.ndarray, transform: rasterio.Affine) -> dict[str, object]:
    """Return the ground with data as a GeoJSON MultiPolygon, its parts in a fixed order."""
    parts = [geometry["coordinates"] for geometry, _ in shapes(valid.astype("uint8"), mask=valid, transform=transform)]
    return {"type": "MultiPolygon", "coordinates": sorted(parts)}


def read_extent(path: Path) -> dict[str, object]:
    """Return the extent document of the raster at `path`."""
    with rasterio.open(path) as scene:
        if scene.crs is None:
            raise SystemExit(f"{path}: the raster has no CRS, so nothing can be placed on it")
        valid, transform = valid_mask(scene)
        tags = scene.tags()
        return {
            "version": 1,
            "crs": scene.crs.to_string(),
            "transform": list(scene.transform)[:6],
            "width": scene.width,
            "height": scene.height,
            "bounds": list(scene.bounds),
            "bounds_wgs84": list(transform_bounds(scene.crs, "EPSG:4326", *scene.bounds, densify_pts=21)),
            "footprint": footprint(valid, transform),
            "valid_share": round(float(valid.mean()), 6),
            "simulated": tags.get("SIMULATED", "no") == "yes",
            "attribution": tags.get("ATTRIBUTION", ""),
            "acquired": tags.get("ACQUISITION", ""),
        }


def main() -> None:
    """Read the arguments and write the extent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", type=Path, required=True, help="the scene's folder")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    extent = read_extent(arguments.scene / "scene.tif")
    write_atomically(arguments.out, json.dumps(extent, indent=1) + "\n")
    print(f"{extent['width']} x {extent['height']} px in {extent['crs']}, {extent['valid_share']:.0%} with data")


if __name__ == "__main__":
    main()
