"""Compare a model with the ground truth of the test part, in figures and as a map.

Test tiles overlap. Their probabilities are blended with a Hann window, so each pixel is decided once, mostly by
the tile whose middle it is in, and tile borders do not show. Only pixels of the test part with a label are
counted. Figures and map say whether the scenes are simulated or real.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its kernels round differently on each kind of processor

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFilter, ImageFont

IGNORE = 255
PANEL_PX = 420  # least edge of a panel on the map
GAP_PX = 16
INK, FAINT, PAPER, EDGE = "#1d2327", "#5c666d", "#ffffff", "#d43d51"
NO_LABEL = "#cbced1"


@dataclass(frozen=True)
class Mosaic:
    """A scene put together from its tiles.

    Attributes:
        image: (H, W, bands) float32 in 0..1; NaN where no tile is.
        truth: (H, W) uint8, 255 without a label.
        prediction: (H, W) uint8, 255 where no tile is.
        test: (H, W) bool, the pixels that are counted.
    """

    key: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    test: np.ndarray


# --- prediction -----------------------------------------------------------------------------------


def hann_window(size: int) -> np.ndarray:
    """Return the weight of each pixel of a tile, (size, size) float32, highest in the middle and nowhere zero."""
    line = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    return (np.outer(line, line) + 1e-4).astype("float32")


def read_tile(dataset: Path, manifest: dict[str, object], tile: dict[str, object]) -> tuple[np.ndarray, np.ndarray]:
    """Return image (size, size, bands) float32 in 0..1 and label (size, size) uint8 of a tile."""
    folder, size = dataset / tile["part"], manifest["size"]
    stack = np.asarray(Image.open(folder / "images" / tile["file"]), dtype="float32")
    image = stack.reshape(-1, size, size).transpose(1, 2, 0) / (2 ** manifest["bits"] - 1)
    return image, np.asarray(Image.open(folder / "labels" / tile["file"]))


def mosaic(dataset: Path, manifest: dict[str, object], key: str, model: keras.Model, batch: int) -> Mosaic:
    """Predict all tiles of a scene and put them together."""
    place = manifest["scenes"][key]
    shape, size = (place["height"], place["width"]), manifest["size"]
    tiles = [tile for tile in manifest["tiles"] if tile["scene"] == key]
    pairs = [read_tile(dataset, manifest, tile) for tile in tiles]
    predict = tf.function(lambda images: model(images, training=False), reduce_retracing=True)
    weight = hann_window(size)
    total = np.zeros((*shape, len(manifest["classes"])), dtype="float32")
    image = np.full((*shape, len(manifest["bands"])), np.nan, dtype="float32")
    truth = np.full(shape, IGNORE, dtype="uint8")
    test = np.zeros(shape, dtype=bool)
    for start in range(0, len(tiles), batch):
        chunk = pairs[start : start + batch]
        guesses = predict(np.stack([pixels for pixels, _ in chunk])).numpy()
        for tile, (pixels, label), guess in zip(tiles[start : start + batch], chunk, guesses, strict=True):
            box = np.s_[tile["row"] : tile["row"] + size, tile["column"] : tile["column"] + size]
            total[box] += guess * weight[..., None]
            image[box] = pixels
            truth[box] = np.where(label == IGNORE, truth[box], label)
            test[box] |= (label != IGNORE) & (tile["part"] == "test")
    seen = total.sum(-1) > 0
    return Mosaic(key, image, truth, np.where(seen, total.argmax(-1), IGNORE).astype("uint8"), test)


# --- figures --------------------------------------------------------------------------------------


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, n_classes: int) -> np.ndarray:
    """Return pixels by truth (row) and prediction (column), (n_classes, n_classes) int64."""
    flat = truth.astype(np.int64) * n_classes + prediction
    return np.bincount(flat, minlength=n_classes**2).reshape(n_classes, n_classes)


def ratio(part: float, whole: float) -> float:
    """Return part / whole with six digits, 0 for nothing of nothing."""
    return round(float(part) / float(whole), 6) if whole else 0.0


def class_scores(matrix: np.ndarray, index: int) -> dict[str, float | int]:
    """Return the scores of one class."""
    hits, truth, guessed = matrix[index, index], matrix[index].sum(), matrix[:, index].sum()
    return {
        "iou": ratio(hits, truth + guessed - hits),
        "f1": ratio(2 * hits, truth + guessed),
        "precision": ratio(hits, guessed),
        "recall": ratio(hits, truth),
        "pixels": int(truth),
    }


def overall_scores(matrix: np.ndarray, training_pixels: np.ndarray) -> dict[str, float | int]:
    """Return the scores over all classes, and beside them what guessing one class everywhere would reach."""
    total, hits, truth, guessed = matrix.sum(), np.diag(matrix), matrix.sum(1), matrix.sum(0)
    present = truth > 0
    accuracy = hits.sum() / total
    chance = float((truth * guessed).sum()) / float(total) ** 2
    union = truth + guessed - hits
    baseline = truth.max() / total
    return {
        "accuracy": round(float(accuracy), 6),
        "majority_accuracy": round(float(baseline), 6),
        "training_majority_accuracy": ratio(truth[training_pixels.argmax()], total),
        "gain_over_majority": round(float(accuracy - baseline), 6),
        "balanced_accuracy": round(float((hits[present] / truth[present]).mean()), 6),
        "majority_balanced_accuracy": ratio(1, present.sum()),
        "kappa": round(float((accuracy - chance) / (1 - chance)), 6) if chance < 1 else 0.0,
        "mean_iou": round(float((hits[present] / union[present]).mean()), 6),
        "mean_f1": round(float((2 * hits[present] / (truth + guessed)[present]).mean()), 6),
        "pixels": int(total),
    }


def make_metrics(matrix: np.ndarray, manifest: dict[str, object]) -> dict[str, object]:
    """Return the metrics document; its first word says what kind of data it is about."""
    names = [entry["name"] for entry in manifest["classes"]]
    training = manifest["label_pixels"]["train"]
    training_pixels = np.array([training.get(str(index), 0) for index in range(len(names))])
    return {
        "data": "simulated" if manifest["simulated"] else "real",
        "test": overall_scores(matrix, training_pixels),
        "classes": {name: class_scores(matrix, index) for index, name in enumerate(names)},
    }


def confusion_csv(matrix: np.ndarray, names: list[str]) -> str:
    """Return the matrix as CSV, a line per cell: truth, prediction, pixels, share of the truth's pixels."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["truth", "prediction", "pixels", "share"])
    for i, truth in enumerate(names):
        for j, prediction in enumerate(names):
            writer.writerow([truth, prediction, int(matrix[i, j]), ratio(matrix[i, j], matrix[i].sum())])
    return text.getvalue()


# --- the map --------------------------------------------------------------------------------------


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the three numbers of ``#rrggbb``."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def picture(image: np.ndarray, bands: list[str]) -> tuple[np.ndarray, str]:
    """Return (H, W, 3) uint8 in natural colour, or of the first bands, and which bands it shows."""
    chosen = (
        ["B04", "B03", "B02"]
        if {"B04", "B03", "B02"} <= set(bands)
        else [bands[min(i, len(bands) - 1)] for i in range(3)]
    )
    pixels = image[..., [bands.index(name) for name in chosen]]
    grey = np.isnan(pixels)
    colours = np.rint(np.where(grey, 0, pixels) ** 0.8 * 255).astype("uint8")
    colours[grey.any(-1)] = rgb(NO_LABEL)
    return colours, "/".join(chosen)


def paint(classes: np.ndarray, table: list[dict[str, object]], test: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) uint8: classes in their colours, pale outside the test part, grey without a class."""
    colours = np.full((256, 3), rgb(NO_LABEL), dtype=float)
    for entry in table:
        colours[entry["index"]] = rgb(entry["colour"])
    pixels = colours[classes]
    pale = ~test & (classes != IGNORE)
    pixels[pale] = pixels[pale] * 0.35 + 255 * 0.65
    return np.rint(pixels).astype("uint8")


def enlarge(pixels: np.ndarray, factor: int) -> Image.Image:
    """Return the pixels as an image, each `factor` pixels wide, or smaller by means where `factor` is 0."""
    picture_ = Image.fromarray(pixels)
    if factor:
        return picture_.resize((pixels.shape[1] * factor, pixels.shape[0] * factor), Image.Resampling.NEAREST)
    picture_.thumbnail((2 * PANEL_PX, 2 * PANEL_PX), Image.Resampling.BOX)
    return picture_


def outline(panel: Image.Image, test: np.ndarray) -> None:
    """Draw the border of the test part on a panel."""
    inside = np.asarray(Image.fromarray(test).resize(panel.size, Image.Resampling.NEAREST))
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    border = Image.fromarray(((inside & ~core) * 255).astype("uint8"))
    panel.paste(EDGE, (0, 0), border)


def region(test: np.ndarray) -> np.ndarray:
    """Return the test part without the small holes that missing labels leave, for the outline."""
    filled = Image.fromarray((test * 255).astype("uint8"))
    return np.asarray(filled.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.MinFilter(5))) > 0


def scene_row(scene: Mosaic, manifest: dict[str, object]) -> tuple[list[tuple[str, Image.Image]], str]:
    """Return the three panels of a scene with their headings, and the line above them."""
    longest = max(scene.truth.shape)
    factor = -(-PANEL_PX // longest) if longest <= 2 * PANEL_PX else 0
    colours, shown = picture(scene.image, manifest["bands"])
    agree = (scene.prediction == scene.truth)[scene.test]
    guess = paint(scene.prediction, manifest["classes"], scene.test)
    panels = [
        (f"image ({shown})", enlarge(colours, factor)),
        ("ground truth", enlarge(paint(scene.truth, manifest["classes"], scene.test), factor)),
        (f"prediction: {agree.mean():.1%} right in the test part", enlarge(guess, factor)),
    ]  # fmt: skip
    for _, panel in panels:
        outline(panel, region(scene.test))
    place = manifest["scenes"][scene.key]
    kind = "SIMULATED scene" if place["simulated"] else "Sentinel-2 scene"
    return panels, f"{kind} {scene.key}, {place['acquired'][:10]}"


def draw_map(scenes: list[Mosaic], manifest: dict[str, object], metrics: dict[str, object]) -> Image.Image:
    """Return the map: a row per scene, a title that says what the data are, a legend and the attribution."""
    title_font, font, small = (ImageFont.load_default(size) for size in (24, 15, 13))
    rows = [scene_row(scene, manifest) for scene in scenes]
    width = max(sum(panel.width + GAP_PX for _, panel in panels) for panels, _ in rows) + GAP_PX
    heights = [panels[0][1].height + 58 for panels, _ in rows]
    canvas = Image.new("RGB", (width, 96 + sum(heights) + 84), PAPER)
    draw = ImageDraw.Draw(canvas)

    test = metrics["test"]
    kind = "SIMULATED data" if manifest["simulated"] else "Real Sentinel-2 data"
    draw.text((GAP_PX, 14), f"{kind}: {len(scenes)} of {len(manifest['scenes'])} scenes", INK, title_font)
    line = (f"all scenes, test part: accuracy {test['accuracy']:.1%} "
            f"(majority class alone {test['majority_accuracy']:.1%}), mean IoU {test['mean_iou']:.3f}, "
            f"kappa {test['kappa']:.3f}, {test['pixels']:,} pixels")  # fmt: skip
    draw.text((GAP_PX, 52), line, INK, font)
    top = 84
    for (panels, heading), height in zip(rows, heights, strict=True):
        draw.text((GAP_PX, top), heading, INK, font)
        left = GAP_PX
        for caption, panel in panels:
            draw.text((left, top + 22), caption, FAINT, small)
            canvas.paste(panel, (left, top + 42))
            left += panel.width + GAP_PX
        top += height
    draw_legend(draw, manifest, (GAP_PX, top + 14), (font, small))
    return canvas


def draw_legend(
    draw: ImageDraw.ImageDraw,
    manifest: dict[str, object],
    corner: tuple[int, int],
    fonts: tuple[ImageFont.FreeTypeFont, ImageFont.FreeTypeFont],
) -> None:
    """Draw the classes, what outline and pale mean, and whose pixels these are."""
    left, top = corner
    entries = [(entry["colour"], entry["name"]) for entry in manifest["classes"]]
    for colour, name in [*entries, (NO_LABEL, "no label or no data")]:
        draw.rectangle((left, top, left + 16, top + 16), colour, INK)
        draw.text((left + 24, top - 1), name, INK, fonts[0])
        left += 24 + int(draw.textlength(name, fonts[0])) + 28
    draw.rectangle((left, top, left + 16, top + 16), PAPER, EDGE, 2)
    draw.text((left + 24, top - 1), "test part (paler: training and validation)", INK, fonts[0])
    origin = "; ".join(manifest["attribution"])
    if manifest["simulated"]:
        origin = " ".join(filter(None, ["Simulated scenes: no satellite saw this.", origin]))
    draw.text((corner[0], top + 32), origin, FAINT, fonts[1])


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to a neighbouring temporary file and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def check_card(card: dict[str, object], manifest: dict[str, object]) -> None:
    """Stop when the model was made for other tiles."""
    for key, other in (
        ("bands", "bands"),
        ("bits", "bits"),
        ("scale", "scale"),
        ("classes", "classes"),
        ("tile", "size"),
    ):
        if card[key] != manifest[other]:
            raise SystemExit(f"the model's card and the dataset differ in {key}: {card[key]} and {manifest[other]}")


def main() -> None:
    """Read the arguments and write metrics, confusion matrix and map."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("dataset", "model", "card", "metrics", "confusion", "map"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--maps", type=int, default=3)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.experimental.enable_op_determinism()
    manifest = json.loads((arguments.dataset / "manifest.json").read_text(encoding="utf-8"))
    check_card(json.loads(arguments.card.read_text(encoding="utf-8")), manifest)
    model = keras.saving.load_model(arguments.model, compile=False)

    n_classes = len(manifest["classes"])
    matrix = np.zeros((n_classes, n_classes), dtype=np.int64)
    shown: list[Mosaic] = []
    for key in manifest["scenes"]:
        scene = mosaic(arguments.dataset, manifest, key, model, arguments.batch)
        matrix += confusion_matrix(scene.truth[scene.test], scene.prediction[scene.test], n_classes)
        if len(shown) < arguments.maps and scene.test.any():
            shown.append(scene)
    metrics = make_metrics(matrix, manifest)
    write_atomically(arguments.metrics, (json.dumps(metrics, indent=1) + "\n").encode())
    names = [entry["name"] for entry in manifest["classes"]]
    write_atomically(arguments.confusion, confusion_csv(matrix, names).encode())
    png = io.BytesIO()
    draw_map(shown, manifest, metrics).save(png, "PNG", compress_level=6)
    write_atomically(arguments.map, png.getvalue())
    test = metrics["test"]
    print(f"{metrics['data'].upper()} data, test part: accuracy {test['accuracy']:.4f} "
          f"(majority class {test['majority_accuracy']:.4f}), kappa {test['kappa']:.4f}, "
          f"mean IoU {test['mean_iou']:.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
