"""Take the bands that a model shall see out of a scene, by name, in the order given."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import rasterio

# Sentinel-2 MSI. 60 m bands see the atmosphere (aerosol, water vapour, cirrus) rather than the ground.
RESOLUTION_M = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60,
    "B10": 60, "B11": 20, "B12": 20,
}  # fmt: skip
BAND_SETS = {
    "rgb": ("B04", "B03", "B02"),
    "rgbn": ("B04", "B03", "B02", "B08"),
    "10m": ("B02", "B03", "B04", "B08"),
    "20m": ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"),
    "all": tuple(RESOLUTION_M),
}


def parse_bands(text: str) -> list[str]:
    """Return band names from ``B04+B03+B02`` (or commas), or from the name of a band set."""
    if text in BAND_SETS:
        return list(BAND_SETS[text])
    names = [name.strip() for name in text.replace(",", "+").split("+")]
    if len(set(names)) != len(names) or not all(names):
        raise SystemExit(f"--bands {text}: each band once, with + between them, or one of {', '.join(BAND_SETS)}")
    return names


def band_indexes(scene: rasterio.DatasetReader, names: list[str]) -> list[int]:
    """Return the 1-based positions of the named bands."""
    present = list(scene.descriptions)
    missing = [name for name in names if name not in present]
    if missing:
        known = ", ".join(str(name) for name in present)
        raise SystemExit(f"{scene.name}: no band {', '.join(missing)}; the scene has {known}")
    return [present.index(name) + 1 for name in names]


def filter_bands(source: Path, names: list[str], out: Path) -> None:
    """Write the named bands of `source` (uint16, 0 = no data) as a tiled GeoTIFF with the same grid and tags."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.part.tif")
    with rasterio.open(source) as scene:
        indexes = band_indexes(scene, names)
        profile = {
            "driver": "GTiff", "dtype": scene.dtypes[0], "count": len(indexes), "nodata": 0, "crs": scene.crs,
            "transform": scene.transform, "width": scene.width, "height": scene.height, "tiled": True,
            "blockxsize": 256, "blockysize": 256, "compress": "ZSTD", "zstd_level": 1, "predictor": 2,
            "bigtiff": "if_safer",
        }  # fmt: skip
        with rasterio.open(temporary, "w", **profile) as raster:
            for position, index in enumerate(indexes, start=1):
                raster.write(scene.read(index), position)
                raster.set_band_description(position, names[position - 1])
            raster.update_tags(**{key: value for key, value in scene.tags().items() if key != "AREA_OR_POINT"})
    os.replace(temporary, out)


def main() -> None:
    """Read the arguments and write the filtered scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", type=Path, required=True, help="the scene's folder")
    parser.add_argument("--bands", required=True, help="names with + between them, or a set: " + ", ".join(BAND_SETS))
    parser.add_argument("--out", type=Path, required=True, help="GeoTIFF to write")
    arguments = parser.parse_args()
    names = parse_bands(arguments.bands)
    filter_bands(arguments.scene / "scene.tif", names, arguments.out)
    coarse = [name for name in names if RESOLUTION_M.get(name, 0) == 60]
    print(
        f"{len(names)} bands: {' '.join(names)}"
        + (f" (60 m, made for the atmosphere: {' '.join(coarse)})" if coarse else "")
    )


if __name__ == "__main__":
    main()
