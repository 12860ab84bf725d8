"""Train on real Amazon images with published scores and print the comparison.

Data: Bragagnolo, da Silva, Grzybowski (2019), Sentinel-2 true colour, forest / non-forest (Zenodo 3233081);
given by path, not shipped. Images are split whole: none gives pixels to training and to the held-out part; with
five folds each of the 30 images is held out once. The model files and the training code are those of the
workflow (models/, services/train).

    uv run --no-project --with-requirements services/train/requirements.txt python benchmarks/amazon.py --data PATH

Defects of the set that are handled: palette masks (1 forest, 2 not), a mask of 515 x 512 px beside an image of
512 x 512.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
IGNORE = 255
FOREST_IN_PALETTE, NON_FOREST_IN_PALETTE = 1, 2
PUBLISHED = (  # accuracy, Jaccard; metrics of davej23/attention-mechanism-unet on the same set, its own split
    ("U-Net, published", 0.947, 0.889),
    ("Attention U-Net, published", 0.953, 0.903),
    ("ResNet50-SegNet, published", 0.947, 0.903),
    ("FCN32-VGG16, published", 0.898, 0.820),
)
FOREST_BASELINES = (  # measured once on 15 other images of the same set (30 for training)
    ("random forest, pixels (30 + 15 images)", 0.921, 0.853),
    ("random forest, texture (30 + 15 images)", 0.931, 0.870),
)


@dataclass(frozen=True)
class Pair:
    """An image (512, 512, 3) uint8 with its classes (512, 512) uint8: 1 forest, 0 not, 255 unknown."""

    name: str
    image: np.ndarray
    classes: np.ndarray


def load_module(path: Path) -> ModuleType:
    """Return the program of a service as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def read_mask(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return the classes of a palette mask, its middle where it is larger than the image."""
    palette = np.asarray(Image.open(path))
    top, left = ((length - wanted + 1) // 2 for length, wanted in zip(palette.shape, shape, strict=True))
    palette = palette[top : top + shape[0], left : left + shape[1]]
    return np.select([palette == FOREST_IN_PALETTE, palette == NON_FOREST_IN_PALETTE], [1, 0], IGNORE).astype("uint8")


def read_pairs(data: Path) -> list[Pair]:
    """Return all pairs below `data`, sorted by name."""
    paths = sorted(data.glob("**/training/images/*.tiff"))
    if not paths:
        raise SystemExit(f"{data}: no training/images/*.tiff; give the folder amazon-forest")
    pairs = []
    for path in paths:
        image = np.asarray(Image.open(path).convert("RGB"))
        mask = path.parents[1] / "masks" / f"{path.stem}.png"
        pairs.append(Pair(path.stem, image, read_mask(mask, image.shape[:2])))
    return pairs


def divide(
    pairs: list[Pair], fold: int, folds: int, validation: int, seed: int
) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Return training, validation and held-out pairs; over all folds each pair is held out once."""
    drawn = [pairs[index] for index in np.random.default_rng(seed).permutation(len(pairs))]
    held_out = drawn[fold::folds]
    rest = [pair for pair in drawn if pair not in held_out]
    return rest[validation:], rest[:validation], held_out


def cut(pairs: list[Pair], size: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Return tiles (N, size, size, 3) uint8 and labels (N, size, size) uint8."""
    images, labels = [], []
    for pair in pairs:
        for row in range(0, pair.image.shape[0] - size + 1, stride):
            for column in range(0, pair.image.shape[1] - size + 1, stride):
                box = np.s_[row : row + size, column : column + size]
                images.append(pair.image[box])
                labels.append(pair.classes[box])
    return np.stack(images), np.stack(labels)


def predict(model: object, image: np.ndarray, size: int, window: np.ndarray, turns: int) -> np.ndarray:
    """Return the class of each pixel from tiles that overlap by half, blended, over `turns` positions of a tile."""
    total = np.zeros((*image.shape[:2], 2), dtype="float32")
    spots = [
        (r, c)
        for r in range(0, image.shape[0] - size + 1, size // 2)
        for c in range(0, image.shape[1] - size + 1, size // 2)
    ]
    tiles = np.stack([image[r : r + size, c : c + size] for r, c in spots]).astype("float32") / 255
    for turn in range(turns):
        turned = np.rot90(tiles, turn % 4, (1, 2))
        turned = turned[:, :, ::-1] if turn >= 4 else turned
        guesses = np.concatenate(
            [np.asarray(model(turned[i : i + 16], training=False)) for i in range(0, len(turned), 16)]
        )
        guesses = guesses[:, :, ::-1] if turn >= 4 else guesses
        for (r, c), guess in zip(spots, np.rot90(guesses, -(turn % 4), (1, 2)), strict=True):
            total[r : r + size, c : c + size] += guess * window[..., None]
    return total.argmax(-1)


def texture(image: np.ndarray) -> np.ndarray:
    """Return colours, and their means and deviations over 5 and 15 px, (pixels, 15) float32."""
    features = [image.astype("float32")]
    for width in (5, 15):
        padded = np.pad(
            image.astype("float64"), ((width // 2 + 1, width // 2), (width // 2 + 1, width // 2), (0, 0)), "reflect"
        )
        sums = [power.cumsum(0).cumsum(1) for power in (padded, padded**2)]
        mean, square = (
            (s[width:, width:] - s[:-width, width:] - s[width:, :-width] + s[:-width, :-width]) / width**2 for s in sums
        )
        features += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    return np.concatenate(features, -1).reshape(-1, 15).astype("float32")


def random_forest(training: list[Pair], held_out: list[Pair], seed: int, confusion_matrix: object) -> np.ndarray:
    """Return the confusion matrix of scikit-learn's random forest on colour and texture, same split."""
    from sklearn.ensemble import RandomForestClassifier  # only with --forest

    features = np.concatenate([texture(pair.image) for pair in training])
    classes = np.concatenate([pair.classes.ravel() for pair in training])
    drawn = np.random.default_rng(seed).choice(np.flatnonzero(classes != IGNORE), 200_000, replace=False)
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=seed, n_jobs=2).fit(
        features[drawn], classes[drawn]
    )
    guesses = [forest.predict(texture(pair.image)).reshape(pair.classes.shape) for pair in held_out]
    return sum(confusion_matrix(pair.classes, guess, 2) for pair, guess in zip(held_out, guesses, strict=True))


def jaccards(matrix: np.ndarray) -> tuple[float, float]:
    """Return the mean intersection over union of both classes, and that of forest."""
    union = matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    each = np.diag(matrix) / union
    return float(each.mean()), float(each[1])


@dataclass(frozen=True)
class Result:
    """Confusion matrices (truth, guess) of the held-out images of one or more folds, by method."""

    network: np.ndarray
    forest: np.ndarray
    seconds: float
    epochs: int
    weights: int


def run_fold(
    fold: int, pairs: list[Pair], arguments: argparse.Namespace, train: ModuleType, window: np.ndarray
) -> Result:
    """Train on all but one part of the images and judge on that part."""
    training, validation, held_out = divide(pairs, fold, arguments.folds, arguments.validation, arguments.seed)
    settings = train.Settings(
        epochs=arguments.epochs,
        patience=0,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
    )
    shape = (arguments.size, arguments.size, 3)
    model = train.build(arguments.structure, shape, 2, train.parse_options(arguments.options))
    trainer = train.Trainer(model, 2, train.Tiles(*cut(training, arguments.size, arguments.stride), 255), settings)
    begun = time.monotonic()
    progress = train.train(
        trainer,
        train.Tiles(*cut(validation, arguments.size, arguments.size), 255),
        train.Progress(),
        lambda _: time.monotonic() - begun > arguments.minutes * 60,
    )
    took = time.monotonic() - begun
    guesses = [predict(model, pair.image, arguments.size, window, arguments.turns) for pair in held_out]
    matrix = sum(train.confusion_matrix(pair.classes, guess, 2) for pair, guess in zip(held_out, guesses, strict=True))
    forest = np.zeros((2, 2), dtype=np.int64)
    if arguments.forest:
        forest = random_forest(training + validation, held_out, arguments.seed, train.confusion_matrix)
    print(
        f"fold {fold + 1}: accuracy {accuracy(matrix):.4f}, Jaccard {jaccards(matrix)[0]:.4f}, "
        f"{len(held_out)} held-out images",
        flush=True,
    )
    return Result(matrix, forest, took, progress.epoch, model.count_params())


def accuracy(matrix: np.ndarray) -> float:
    """Return the share of right pixels."""
    return float(np.diag(matrix).sum() / matrix.sum())


def table(results: list[Result], name: str, images: int) -> list[tuple[str, float, float]]:
    """Return the rows of the comparison: name, accuracy, Jaccard."""
    network, forest = sum(result.network for result in results), sum(result.forest for result in results)
    majority = float(network.sum(1).max() / network.sum())
    rows = [(f"{name} here, {images} held-out images", accuracy(network), jaccards(network)[0])]
    if forest.any():
        rows.append(("random forest, texture, same images", accuracy(forest), jaccards(forest)[0]))
    return [*rows, ("majority class of the held-out images", majority, majority / 2), *FOREST_BASELINES, *PUBLISHED]


def parse_arguments() -> argparse.Namespace:
    """Return the options of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder amazon-forest")
    parser.add_argument("--structure", type=Path, default=ROOT / "models/unet.py")
    parser.add_argument("--options", default="width=16+depth=4")
    parser.add_argument("--folds", type=int, default=5, help="parts of the images, each held out once")
    parser.add_argument("--first", type=int, default=5, help="only so many of the folds")
    parser.add_argument("--validation", type=int, default=3, help="images that pick the best epoch")
    parser.add_argument("--size", type=int, default=128, help="edge of a tile in pixels")
    parser.add_argument("--stride", type=int, default=128, help="step between training tiles in pixels")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--minutes", type=float, default=3, help="stop the training of a fold after so long")
    parser.add_argument(
        "--turns", type=int, default=8, help="positions of a tile that are averaged when predicting, 1 to 8"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--forest", action="store_true", help="also a random forest on the same images (needs scikit-learn)"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def main() -> None:
    """Train on each fold, and print the table."""
    arguments = parse_arguments()
    train = load_module(ROOT / "services/train/train.py")
    window = load_module(ROOT / "services/evaluate/evaluate.py").hann_window(arguments.size)
    train.make_deterministic(arguments.seed, arguments.threads)
    pairs = read_pairs(arguments.data)
    results = [run_fold(fold, pairs, arguments, train, window) for fold in range(min(arguments.first, arguments.folds))]
    images = sum(len(pairs[fold :: arguments.folds]) for fold in range(len(results)))
    rows = table(results, arguments.structure.stem, images)
    print(f"\n{'':44}{'accuracy':>9}{'Jaccard':>9}{'errors / published U-Net':>26}")
    for name, row_accuracy, row_jaccard in rows:
        print(f"{name:44}{row_accuracy:9.3f}{row_jaccard:9.3f}{(1 - row_accuracy) / (1 - PUBLISHED[0][1]):25.2f}x")
    each, epochs = [round(accuracy(result.network), 4) for result in results], [result.epochs for result in results]
    seconds = round(sum(result.seconds for result in results))
    forest_iou = jaccards(sum(result.network for result in results))[1]
    print(f"folds {each}, {epochs} epochs, {seconds} s of training on "
          f"{arguments.threads} threads, {results[0].weights:,} weights; forest alone: Jaccard {forest_iou:.3f}")  # fmt: skip
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"rows": rows, "folds": each, "seconds": seconds}, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
