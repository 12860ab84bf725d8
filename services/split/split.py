"""Cut a scene's ground truth into square tiles for training, validation and test.

The split is made on the ground, not on tiles: every pixel belongs to one part by where it lies, so that the
same ground has the same part in each scene and at each date, also across UTM zones. Training tiles lie wholly
in the training part, so no pixel that is evaluated is ever seen in training; validation tiles have no test
pixel. In validation and test tiles the pixels of other parts have the label `IGNORE`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import rasterio
from PIL import Image
from rasterio.warp import transform

IGNORE = 255
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
Method = Literal["blocks", "strips"]
GROUND_CRS = "EPSG:6933"  # metres, equal area, one for the whole earth: makes the split independent of UTM zones
# Steps of the R2 low-discrepancy sequence: any window of blocks gets its shares of the parts, without a list of blocks.
R2_STEP = (0.7548776662466927, 0.5698402909980532)
COORDINATE_STEP_PX = 256  # rows whose coordinates are transformed at once


@dataclass(frozen=True)
class Ground:
    """How the ground is divided.

    Attributes:
        method: ``blocks``: squares of `block_m`; ``strips``: from west to east between two longitudes.
        shares: of training, validation and test; they sum to one.
        block_m: edge of a block in metres of the ground CRS (at 50° north a block is a third longer north to south).
        edges: longitudes between which strips are cut, west and east, in degrees.
        seed: another seed, another division.
    """

    method: Method
    shares: tuple[float, float, float]
    block_m: float
    edges: tuple[float, float]
    seed: int


@dataclass(frozen=True)
class Tiling:
    """Size and placing of tiles, in pixels; shares of usable pixels below which a tile is dropped."""

    size: int
    stride: int
    overlap: int
    min_valid: float


def position(ground: Ground, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
    """Return a number in [0, 1) for each place: its rank in the division. Shapes are kept."""
    if ground.method == "strips":
        (left, right), _ = transform("EPSG:4326", GROUND_CRS, list(ground.edges), [0.0, 0.0])
        return np.clip((x_m - left) / (right - left), 0, np.nextafter(1, 0))
    column, row = np.floor(x_m / ground.block_m), np.floor(y_m / ground.block_m)
    return (column * R2_STEP[0] + row * R2_STEP[1] + ground.seed * 0.6180339887498949) % 1.0


def part_map(ground: Ground, crs: str, affine: rasterio.Affine, shape: tuple[int, int]) -> np.ndarray:
    """Return the part of each pixel, shape (H, W) uint8: an index into PARTS."""
    edges = np.cumsum(ground.shares)[:2]
    parts = np.empty(shape, dtype="uint8")
    columns = np.arange(shape[1]) + 0.5
    for start in range(0, shape[0], COORDINATE_STEP_PX):
        rows = np.arange(start, min(start + COORDINATE_STEP_PX, shape[0])) + 0.5
        grid_columns, grid_rows = np.meshgrid(columns, rows)
        x = affine.a * grid_columns.ravel() + affine.b * grid_rows.ravel() + affine.c
        y = affine.d * grid_columns.ravel() + affine.e * grid_rows.ravel() + affine.f
        x_m, y_m = transform(crs, GROUND_CRS, x, y)
        rank = position(ground, np.asarray(x_m), np.asarray(y_m))
        parts[start : start + len(rows)] = np.searchsorted(edges, rank, side="right").reshape(grid_rows.shape)
    return parts


def usable_mask(scene_folder: Path) -> np.ndarray:
    """Return where the scene has data and no cloud, shape (H, W) bool."""
    with rasterio.open(scene_folder / "scene.tif") as scene:
        usable = np.zeros((scene.height, scene.width), dtype=bool)
        for band in scene.indexes:
            usable |= scene.read(band) != 0
    clouds_path = scene_folder / "clouds.tif"
    if clouds_path.exists():
        with rasterio.open(clouds_path) as clouds:
            usable &= clouds.read(1) == 0
    return usable


def starts(length: int, size: int, step: int) -> list[int]:
    """Return where tiles of `size` start along `length` pixels: every `step`, and one flush with the end."""
    regular = list(range(0, length - size + 1, step))
    return regular if regular[-1] == length - size else [*regular, length - size]


def window_sums(mask: np.ndarray, size: int, rows: list[int], columns: list[int]) -> np.ndarray:
    """Return the number of set pixels in each size x size window, shape (len(rows), len(columns))."""
    total = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), dtype=np.int64)
    total[1:, 1:] = mask.cumsum(0, dtype=np.int64).cumsum(1)
    top, left = np.array(rows)[:, None], np.array(columns)[None, :]
    bottom, right = top + size, left + size
    return total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]


def training_windows(parts: np.ndarray, usable: np.ndarray, tiling: Tiling) -> list[tuple[int, int]]:
    """Return (row, column) of the windows that lie wholly in the training part and are usable enough."""
    rows, columns = (starts(length, tiling.size, tiling.stride) for length in parts.shape)
    area = tiling.size**2
    inside = window_sums(parts == PARTS.index("train"), tiling.size, rows, columns) == area
    good = window_sums(usable, tiling.size, rows, columns) >= tiling.min_valid * area
    return [(rows[i], columns[j]) for i, j in np.argwhere(inside & good)]


def validation_windows(parts: np.ndarray, usable: np.ndarray, tiling: Tiling) -> list[tuple[int, int]]:
    """Return windows without a test pixel that cover the usable validation pixels, the fullest first.

    A window is taken when at least a quarter of what it could add is not covered yet.
    """
    rows, columns = (starts(length, tiling.size, tiling.stride) for length in parts.shape)
    wanted = (parts == PARTS.index("validation")) & usable
    clean = window_sums(parts == PARTS.index("test"), tiling.size, rows, columns) == 0
    gain = np.where(clean, window_sums(wanted, tiling.size, rows, columns), 0)
    chosen = []
    for flat in np.argsort(-gain, axis=None, kind="stable"):
        i, j = np.unravel_index(flat, gain.shape)
        if gain[i, j] == 0:
            break
        box = np.s_[rows[i] : rows[i] + tiling.size, columns[j] : columns[j] + tiling.size]
        if wanted[box].sum() * 4 >= gain[i, j]:
            chosen.append((rows[i], columns[j]))
            wanted[box] = False
    return sorted(chosen)


def test_windows(parts: np.ndarray, usable: np.ndarray, tiling: Tiling) -> list[tuple[int, int]]:
    """Return overlapping windows that cover each usable test pixel at least once."""
    rows, columns = (starts(length, tiling.size, tiling.size - tiling.overlap) for length in parts.shape)
    wanted = window_sums((parts == PARTS.index("test")) & usable, tiling.size, rows, columns)
    return [(rows[i], columns[j]) for i, j in np.argwhere(wanted)]


WINDOWS = {"train": training_windows, "validation": validation_windows, "test": test_windows}


def write_tiles(
    folder: Path, truth: np.ndarray, usable: np.ndarray, parts: np.ndarray, tiling: Tiling
) -> list[dict[str, object]]:
    """Write the label tiles (size, size) uint8 and return their records, in the order of parts, rows and columns.

    Validation pixels that two windows share are labelled in the first one alone, so each is counted once.
    """
    records = []
    labelled = usable & (truth != IGNORE)
    for part in PARTS:
        free = parts == PARTS.index(part)
        for row, column in WINDOWS[part](parts, labelled, tiling):
            box = np.s_[row : row + tiling.size, column : column + tiling.size]
            label = np.where(free[box] & labelled[box], truth[box], IGNORE).astype("uint8")
            if part == "validation":
                free[box] = False
            values, counts = np.unique(label[label != IGNORE], return_counts=True)
            if not len(values):
                continue
            name = f"r{row:05d}_c{column:05d}"
            Image.fromarray(label).save(folder / f"{name}.png", optimize=False, compress_level=6)
            pixels = {str(value): int(count) for value, count in zip(values, counts, strict=True)}
            records.append({"id": name, "row": row, "column": column, "part": part, "pixels": pixels})
    return records


def split(truth_path: Path, scene_folder: Path, ground: Ground, tiling: Tiling, out: Path) -> dict[str, object]:
    """Write the tiles and `tiles.json` of one scene to the empty folder `out`, and return the document."""
    with rasterio.open(truth_path) as raster:
        truth, crs, affine, tags = raster.read(1), raster.crs.to_string(), raster.transform, raster.tags()
    usable = usable_mask(scene_folder)
    if usable.shape != truth.shape:
        raise SystemExit(f"{truth_path} is {truth.shape} px, but the scene in {scene_folder} is {usable.shape}")
    if min(truth.shape) < tiling.size:
        raise SystemExit(
            f"{truth_path}: {truth.shape} px do not hold a tile of {tiling.size} px; choose a smaller size"
        )
    parts = part_map(ground, crs, affine, truth.shape)
    records = write_tiles(out, truth, usable, parts, tiling)
    document = {
        "version": 1,
        "simulated": tags.get("SIMULATED", "no") == "yes",
        "crs": crs,
        "transform": list(affine)[:6],
        "width": truth.shape[1],
        "height": truth.shape[0],
        "size": tiling.size,
        "stride": tiling.stride,
        "overlap": tiling.overlap,
        "split": {
            "method": ground.method,
            "shares": list(ground.shares),
            "block_m": ground.block_m,
            "edges": list(ground.edges),
            "seed": ground.seed,
        },
        "part_share": {part: round(float((parts == index).mean()), 4) for index, part in enumerate(PARTS)},
        "usable_share": round(float(usable.mean()), 4),
        "tiles": records,
    }
    (out / "tiles.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def parse_numbers(text: str, count: int, what: str) -> tuple[float, ...]:
    """Return `count` numbers from comma-separated text."""
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise SystemExit(f"--{what} {text!r}: expected {count} numbers with commas between them")
    return numbers


def read_ground(arguments: argparse.Namespace) -> Ground:
    """Return the division that the arguments describe, or stop with what is wrong."""
    shares = parse_numbers(arguments.shares, 3, "shares")
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise SystemExit(f"--shares {arguments.shares}: the three shares must be at least 0 and sum to 1")
    if arguments.method == "strips" and not arguments.west < arguments.east:
        raise SystemExit(
            "--method strips needs --west and --east in degrees, so that all scenes are cut at the same places"
        )
    return Ground(arguments.method, shares, arguments.block, (arguments.west, arguments.east), arguments.seed)


def main() -> None:
    """Read the arguments and write the folder of tiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True, help="rasterized ground truth")
    parser.add_argument("--scene", type=Path, required=True, help="the scene's folder, for no data and clouds")
    parser.add_argument("--size", type=int, default=256, help="edge of a tile in pixels")
    parser.add_argument("--stride", type=int, default=0, help="step between training tiles in pixels; 0: size / 2")
    parser.add_argument("--overlap", type=int, default=0, help="overlap of test tiles in pixels; 0: size / 4")
    parser.add_argument("--min-valid", type=float, default=0.5, help="least share of usable pixels in a training tile")
    parser.add_argument("--method", choices=get_args(Method), default="blocks")
    parser.add_argument("--shares", default="0.6,0.15,0.25", help="of training, validation and test")
    parser.add_argument("--block", type=float, default=2560.0, help="edge of a block in metres")
    parser.add_argument("--west", type=float, default=0.0, help="longitude where strips begin")
    parser.add_argument("--east", type=float, default=0.0, help="longitude where strips end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()

    size = arguments.size
    tiling = Tiling(size, arguments.stride or size // 2, arguments.overlap or size // 4, arguments.min_valid)
    if not tiling.overlap < size:
        raise SystemExit(f"--overlap {tiling.overlap} must be smaller than --size {size}")
    temporary = arguments.out.with_name(f".{arguments.out.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    document = split(arguments.truth, arguments.scene, read_ground(arguments), tiling, temporary)
    shutil.rmtree(arguments.out, ignore_errors=True)
    os.replace(temporary, arguments.out)
    count = {part: sum(record["part"] == part for record in document["tiles"]) for part in PARTS}
    print(
        ", ".join(f"{count[part]} {part} tiles on {document['part_share'][part]:.0%} of the ground" for part in PARTS)
    )


if __name__ == "__main__":
    main()
