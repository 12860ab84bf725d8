"""Turn a filtered scene into one grey PNG per band, by the fixed scale of the training pixels.

PNG knows no georeference and 8 bits hold less than the sensor gives; so the grid and the scale go into
`scene.json`, and 16 bits are an option. The value 0 is kept for no data: data runs from 1 to 255 (65535).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image

Image.MAX_IMAGE_PIXELS = None  # a whole Sentinel-2 tile has 120 million pixels; these files are our own


def scale_band(values: np.ndarray, minimum: float, maximum: float, bits: int) -> np.ndarray:
    """Return digital numbers (H, W) as uint8 or uint16: `minimum` -> 1, `maximum` -> the top, 0 (no data) -> 0."""
    top = 2**bits - 1
    scaled = 1 + np.rint((values.astype("float32") - minimum) * ((top - 1) / (maximum - minimum)))
    return np.where(values == 0, 0, np.clip(scaled, 1, top)).astype("uint8" if bits == 8 else "uint16")


def to_png(image: Path, scale: dict[str, object], bits: int, out: Path) -> dict[str, object]:
    """Write the PNGs and `scene.json` to the empty folder `out`, and return the sidecar."""
    bands = {band["name"]: band for band in scale["bands"]}
    with rasterio.open(image) as scene:
        unknown = [name for name in scene.descriptions if name not in bands]
        if unknown:
            raise SystemExit(f"{image}: the scale has no band {', '.join(map(str, unknown))}")
        for index, name in enumerate(scene.descriptions, start=1):
            pixels = scale_band(scene.read(index), bands[name]["minimum"], bands[name]["maximum"], bits)
            Image.fromarray(pixels).save(out / f"{name}.png", compress_level=1)
        tags = scene.tags()
        sidecar = {
            "version": 1,
            "bands": list(scene.descriptions),
            "bits": bits,
            "scale": [[bands[name]["minimum"], bands[name]["maximum"]] for name in scene.descriptions],
            "crs": scene.crs.to_string(),
            "transform": list(scene.transform)[:6],
            "width": scene.width,
            "height": scene.height,
            "simulated": tags.get("SIMULATED", "no") == "yes",
            "attribution": tags.get("ATTRIBUTION", ""),
            "acquired": tags.get("ACQUISITION", ""),
        }
    (out / "scene.json").write_text(json.dumps(sidecar, indent=1) + "\n", encoding="utf-8")
    return sidecar


def main() -> None:
    """Read the arguments and write the folder of PNGs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="filtered scene")
    parser.add_argument("--scale", type=Path, required=True, help="scale document")
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    temporary = arguments.out.with_name(f".{arguments.out.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    sidecar = to_png(
        arguments.image, json.loads(arguments.scale.read_text(encoding="utf-8")), arguments.bits, temporary
    )
    shutil.rmtree(arguments.out, ignore_errors=True)
    os.replace(temporary, arguments.out)
    print(f"{len(sidecar['bands'])} PNGs of {sidecar['width']} x {sidecar['height']} px, {arguments.bits} bits")


if __name__ == "__main__":
    main()
