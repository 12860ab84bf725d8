"""Bring the image and label tiles of all scenes together as one dataset with a manifest.

Before anything is written it is proved on the ground that no training tile holds a pixel that the test part
counts, at whatever date and in whatever UTM zone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rasterio import Affine
from rasterio.warp import transform, transform_bounds

IGNORE = 255
PARTS = ("train", "validation", "test")
COLOURS = {
    "forest": "#1b7837", "broadleaf": "#7fbf4d", "conifer": "#12542f", "mixed": "#3f9b6c", "non-forest": "#e8d9a8",
    "grassland": "#d9d36c", "cropland": "#e8b25a", "cultivated": "#e8b25a", "shrubland": "#b3a04b",
    "built-up": "#c2504d", "artificial": "#c2504d", "water": "#4a90c4", "other": "#e8d9a8", "none": "#bdbdbd",
}  # fmt: skip
FURTHER_COLOURS = ("#8c6bb1", "#f781bf", "#a65628", "#66c2a5", "#fc8d62", "#8da0cb", "#e78ac3", "#a6d854")


@dataclass(frozen=True)
class Scene:
    """The tiles of one scene: its key, both folders, the split's document and the image's sidecar."""

    key: str
    images: Path
    labels: Path
    tiles: dict[str, object]
    sidecar: dict[str, object]


def parse_classes(text: str) -> list[dict[str, object]]:
    """Return the class table from ``SOURCE=INDEX:NAME,...``; several sources may share a class."""
    names: dict[int, str] = {}
    for pair in filter(None, text.split(",")):
        index, _, name = pair.partition("=")[2].partition(":")
        names[int(index)] = name or names.get(int(index), f"class {index}")
    if sorted(names) != list(range(len(names))):
        raise SystemExit(f"--classes {text}: class indices must run from 0 without a gap, they are {sorted(names)}")
    further = iter(FURTHER_COLOURS * (1 + len(names)))
    return [{"index": i, "name": names[i], "colour": COLOURS.get(names[i]) or next(further)} for i in sorted(names)]


def read_scenes(images: Path, labels: Path) -> list[Scene]:
    """Return all scenes, sorted by key, or stop when one has no partner."""
    keys = {folder: sorted(path.name for path in folder.iterdir() if path.is_dir()) for folder in (images, labels)}
    if keys[images] != keys[labels] or not keys[images]:
        raise SystemExit(
            f"{images} has the scenes {keys[images]}, {labels} has {keys[labels]}: they must be the same, and some"
        )
    return [
        Scene(
            key,
            images / key,
            labels / key,
            json.loads((labels / key / "tiles.json").read_text(encoding="utf-8")),
            json.loads((images / key / "scene.json").read_text(encoding="utf-8")),
        )
        for key in keys[images]
    ]


def check_alike(scenes: list[Scene]) -> None:
    """Stop unless all scenes have the same bands, scale, tile size and split."""
    first = scenes[0]
    for scene in scenes[1:]:
        for what, left, right in (
            *((key, first.sidecar[key], scene.sidecar[key]) for key in ("bands", "bits", "scale")),
            *((key, first.tiles[key], scene.tiles[key]) for key in ("size", "split")),
        ):
            if left != right:
                raise SystemExit(f"scenes {first.key} and {scene.key} differ in {what}: {left} and {right}")


def training_cover(scene: Scene) -> np.ndarray:
    """Return which pixels any training tile shows, shape (H, W) bool."""
    cover = np.zeros((scene.tiles["height"], scene.tiles["width"]), dtype=bool)
    size = scene.tiles["size"]
    for tile in scene.tiles["tiles"]:
        if tile["part"] == "train":
            cover[tile["row"] : tile["row"] + size, tile["column"] : tile["column"] + size] = True
    return cover


def test_pixels(scene: Scene) -> np.ndarray:
    """Return which pixels the test part counts, shape (H, W) bool."""
    counted = np.zeros((scene.tiles["height"], scene.tiles["width"]), dtype=bool)
    size = scene.tiles["size"]
    for tile in scene.tiles["tiles"]:
        if tile["part"] == "test":
            label = np.asarray(Image.open(scene.labels / f"{tile['id']}.png"))
            counted[tile["row"] : tile["row"] + size, tile["column"] : tile["column"] + size] |= label != IGNORE
    return counted


def bounds_wgs84(scene: Scene) -> tuple[float, float, float, float]:
    """Return west, south, east, north of the scene in degrees."""
    affine = Affine(*scene.tiles["transform"])
    right, bottom = affine * (scene.tiles["width"], scene.tiles["height"])
    return transform_bounds(scene.tiles["crs"], "EPSG:4326", affine.c, bottom, right, affine.f, densify_pts=21)


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Return whether two boxes share ground."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def leaked_pixels(counted: np.ndarray, cover: np.ndarray, test: Scene, training: Scene) -> int:
    """Return how many test pixels of one scene lie (by their centre) on ground that another scene's training shows."""
    rows, columns = np.nonzero(counted)
    here, there = Affine(*test.tiles["transform"]), Affine(*training.tiles["transform"])
    x, y = here.a * (columns + 0.5) + here.c, here.e * (rows + 0.5) + here.f
    if test.tiles["crs"] != training.tiles["crs"]:
        x, y = (np.asarray(values) for values in transform(test.tiles["crs"], training.tiles["crs"], x, y))
    column = np.floor((x - there.c) / there.a).astype(int)
    row = np.floor((y - there.f) / there.e).astype(int)
    inside = (row >= 0) & (row < cover.shape[0]) & (column >= 0) & (column < cover.shape[1])
    return int(cover[row[inside], column[inside]].sum())


def check_leaks(scenes: list[Scene]) -> None:
    """Stop when training shows ground that the test counts."""
    boxes = [bounds_wgs84(scene) for scene in scenes]
    covers = [training_cover(scene) for scene in scenes]
    for test, test_box in zip(scenes, boxes, strict=True):
        counted = test_pixels(test)
        for training, training_box, cover in zip(scenes, boxes, covers, strict=True):
            if overlap(test_box, training_box) and (leaked := leaked_pixels(counted, cover, test, training)):
                raise SystemExit(f"{leaked} test pixels of {test.key} lie in training tiles of {training.key}")


def place(source: Path, target: Path, link: str) -> None:
    """Copy a file, or give it a second name where the file system can."""
    if link == "hardlink":
        try:
            os.link(source, target)
        except OSError:
            pass
        else:
            return
    shutil.copyfile(source, target)


def write_dataset(scenes: list[Scene], classes: list[dict[str, object]], link: str, out: Path) -> dict[str, object]:
    """Fill the empty folder `out` with PART/images, PART/labels and `manifest.json`; return the manifest."""
    for part in PARTS:
        (out / part / "images").mkdir(parents=True)
        (out / part / "labels").mkdir()
    tiles = []
    pixels = {part: Counter() for part in PARTS}
    for scene in scenes:
        for tile in scene.tiles["tiles"]:
            name = f"{scene.key}_{tile['id']}.png"
            place(scene.images / f"{tile['id']}.png", out / tile["part"] / "images" / name, link)
            place(scene.labels / f"{tile['id']}.png", out / tile["part"] / "labels" / name, link)
            tiles.append({"file": name, "scene": scene.key, **{key: tile[key] for key in ("part", "row", "column")}})
            pixels[tile["part"]].update({int(index): count for index, count in tile["pixels"].items()})
    unknown = {index for counts in pixels.values() for index in counts} - {entry["index"] for entry in classes}
    if unknown:
        raise SystemExit(f"the labels hold classes {sorted(unknown)} that the class table does not name")
    first = scenes[0]
    manifest = {
        "version": 1,
        "simulated": any(scene.sidecar["simulated"] for scene in scenes),
        "attribution": sorted({scene.sidecar["attribution"] for scene in scenes} - {""}),
        "classes": classes,
        "bands": first.sidecar["bands"],
        "bits": first.sidecar["bits"],
        "scale": first.sidecar["scale"],
        "size": first.tiles["size"],
        "split": first.tiles["split"],
        "tile_count": {part: sum(tile["part"] == part for tile in tiles) for part in PARTS},
        "label_pixels": {part: {str(k): pixels[part][k] for k in sorted(pixels[part])} for part in PARTS},
        "scenes": {
            scene.key: {
                key: scene.sidecar[key] for key in ("acquired", "crs", "transform", "width", "height", "simulated")
            }
            for scene in scenes
        },
        "tiles": tiles,
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def main() -> None:
    """Read the arguments and write the dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder with a folder of image tiles for each scene")
    parser.add_argument("--labels", type=Path, required=True, help="folder with a folder of label tiles for each scene")
    parser.add_argument("--classes", required=True, help="class table, as SOURCE=INDEX:NAME with commas between")
    parser.add_argument("--link", choices=("copy", "hardlink"), default="copy")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    classes = parse_classes(arguments.classes)
    scenes = read_scenes(arguments.images, arguments.labels)
    check_alike(scenes)
    check_leaks(scenes)
    temporary = arguments.out.with_name(f".{arguments.out.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    manifest = write_dataset(scenes, classes, arguments.link, temporary)
    for part in ("train", "validation", "test"):
        if not manifest["tile_count"][part]:
            raise SystemExit(f"no {part} tile: choose smaller tiles, larger blocks, other shares or another seed")
    shutil.rmtree(arguments.out, ignore_errors=True)
    os.replace(temporary, arguments.out)
    kind = "SIMULATED" if manifest["simulated"] else "real"
    print(f"{len(scenes)} {kind} scenes, tiles: {manifest['tile_count']}; no test pixel is seen in training")


if __name__ == "__main__":
    main()
