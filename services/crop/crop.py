"""Cut a scene's band PNGs into the same tiles as its ground truth.

A tile is one grey PNG with its bands below each other, in the order of `scene.json`: shape (bands x size,
size). So a tile has one file for any number of bands, 8 or 16 bits, and any PNG reader opens it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

Image.MAX_IMAGE_PIXELS = None  # a whole Sentinel-2 tile has 120 million pixels; these files are our own


def crop(images: Path, tiles: Path, out: Path) -> int:
    """Write the image tiles and a copy of the scene's sidecar to the empty folder `out`; return their number."""
    sidecar = json.loads((images / "scene.json").read_text(encoding="utf-8"))
    document = json.loads((tiles / "tiles.json").read_text(encoding="utf-8"))
    for key in ("crs", "transform", "width", "height"):
        if sidecar[key] != document[key]:
            raise SystemExit(f"{images} and {tiles} differ in {key}: {sidecar[key]} and {document[key]}")
    bands = np.stack([np.asarray(Image.open(images / f"{name}.png")) for name in sidecar["bands"]])
    size = document["size"]
    for tile in document["tiles"]:
        row, column = tile["row"], tile["column"]
        stack = bands[:, row : row + size, column : column + size].reshape(-1, size)
        Image.fromarray(np.ascontiguousarray(stack)).save(out / f"{tile['id']}.png", compress_level=1)
    (out / "scene.json").write_text(json.dumps(sidecar, indent=1) + "\n", encoding="utf-8")
    return len(document["tiles"])


def main() -> None:
    """Read the arguments and write the folder of tiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of band PNGs with scene.json")
    parser.add_argument("--tiles", type=Path, required=True, help="folder of label tiles with tiles.json")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    temporary = arguments.out.with_name(f".{arguments.out.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    count = crop(arguments.images, arguments.tiles, temporary)
    shutil.rmtree(arguments.out, ignore_errors=True)
    os.replace(temporary, arguments.out)
    print(f"{count} tiles")


if __name__ == "__main__":
    main()
