"""Train a Keras model on a dataset of tiles.

The model's structure is a Python file with `build_model(input_shape, n_classes, **options) -> keras.Model`,
which is loaded at run time. The model gets (H, W, bands) float32 in 0..1 and gives (H, W, n_classes)
probabilities. Labels are class indices; 255 is neither learnt from nor counted. The best epoch by validation
score is what is kept.

Everything random follows from the seed and the epoch's number, and every epoch leaves a checkpoint in
SWATH_SCRATCH: a training that was killed goes on from there and ends with the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import importlib.util
import inspect
import io
import json
import os
import pickle
import platform
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its kernels round differently on each kind of processor

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable

IGNORE = 255
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that zip knows: no date, so the same training gives the same bytes
Loss = Literal["crossentropy", "dice", "both"]
ClassWeights = Literal["none", "sqrt", "balanced"]
Augment = Literal["none", "flips", "flips+colour"]
Score = Literal["mean_iou", "accuracy", "kappa"]


@dataclass(frozen=True)
class Settings:
    """How to train; the service's parameters of the same names."""

    epochs: int = 40
    patience: int = 10
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    loss: Loss = "crossentropy"
    class_weights: ClassWeights = "none"
    augment: Augment = "flips"
    score: Score = "mean_iou"
    seed: int = 0


@dataclass(frozen=True)
class Tiles:
    """Tiles of one part in memory.

    Attributes:
        images: (N, H, W, bands) uint8 or uint16.
        labels: (N, H, W) uint8.
        top: the largest value of an image, which becomes 1.0.
    """

    images: np.ndarray
    labels: np.ndarray
    top: int


@dataclass
class Progress:
    """What a training needs to go on: the next epoch, the history so far, the best epoch and its weights."""

    epoch: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    best_epoch: int = -1
    best_score: float = -np.inf
    best_weights: list[np.ndarray] = dataclasses.field(default_factory=list)


# --- the dataset ----------------------------------------------------------------------------------


def read_tiles(dataset: Path, manifest: dict[str, object], part: str) -> Tiles:
    """Read all tiles of a part with tf.data, in the manifest's order."""
    names = [tile["file"] for tile in manifest["tiles"] if tile["part"] == part]
    size, bands = manifest["size"], len(manifest["bands"])
    kind = tf.uint8 if manifest["bits"] == 8 else tf.uint16

    def decode(name: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_png(tf.io.read_file(f"{dataset}/{part}/images/" + name), channels=1, dtype=kind)
        image = tf.transpose(tf.reshape(image, (bands, size, size)), (1, 2, 0))
        label = tf.io.decode_png(tf.io.read_file(f"{dataset}/{part}/labels/" + name), channels=1)
        return image, tf.reshape(label, (size, size))

    pairs = tf.data.Dataset.from_tensor_slices(names).map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(256)
    images, labels = zip(*pairs.as_numpy_iterator(), strict=True)
    return Tiles(np.concatenate(images), np.concatenate(labels), 2 ** manifest["bits"] - 1)


def quarter_turn_and_flip(image: tf.Tensor, label: tf.Tensor, choice: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return image (H, W, bands) and label (H, W) in one of the eight positions of a square."""
    image, label = tf.image.rot90(image, choice % 4), tf.image.rot90(label[..., None], choice % 4)
    if choice >= 4:
        image, label = image[:, ::-1], label[:, ::-1]
    return image, label[..., 0]


def training_batches(tiles: Tiles, settings: Settings, epoch: int) -> tf.data.Dataset:
    """Return the batches of one epoch: order and augmentation follow from the seed and the epoch's number alone."""
    order = np.random.default_rng((settings.seed, epoch)).permutation(len(tiles.images))
    images, labels = tf.constant(tiles.images), tf.constant(tiles.labels)

    def load(position: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = tf.cast(images[index], tf.float32) / tiles.top, labels[index]
        seed = tf.stack([settings.seed * 100_003 + epoch, tf.cast(position, tf.int32)])
        if settings.augment != "none":
            choice = tf.random.stateless_uniform((), seed, 0, 8, tf.int32)
            image, label = quarter_turn_and_flip(image, label, choice)
        if settings.augment == "flips+colour":
            image = tf.clip_by_value(
                image * tf.random.stateless_uniform((tiles.images.shape[-1],), seed, 0.8, 1.25), 0, 1
            )
        return image, label

    pairs = tf.data.Dataset.from_tensor_slices(order).enumerate()
    batches = pairs.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(
        settings.batch, drop_remainder=len(order) >= settings.batch
    )
    return batches.prefetch(tf.data.AUTOTUNE)


# --- loss and scores ------------------------------------------------------------------------------


def class_weights(labels: np.ndarray, n_classes: int, method: ClassWeights) -> np.ndarray:
    """Return a weight per class, (n_classes,) float32, that leaves the mean weight of a labelled pixel at one."""
    counts = np.bincount(labels[labels != IGNORE], minlength=n_classes)[:n_classes].astype(float)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[method]
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    return (weights * counts.sum() / (weights * counts).sum()).astype("float32")


def make_loss(kind: Loss, weights: np.ndarray) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return the loss of labels (N, H, W) uint8 and probabilities (N, H, W, n_classes); 255 counts nothing."""
    table = tf.constant(weights)

    def loss(labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
        known = tf.cast(labels != IGNORE, tf.float32)
        truth = tf.one_hot(tf.cast(labels, tf.int32), len(weights)) * known[..., None]  # 255 is outside: all zero
        total = 0.0
        if kind != "dice":
            pixel = -tf.reduce_sum(truth * table * tf.math.log(tf.clip_by_value(probabilities, 1e-7, 1.0)), -1)
            total += tf.reduce_sum(pixel) / tf.maximum(tf.reduce_sum(known), 1.0)
        if kind != "crossentropy":
            guess = probabilities * known[..., None]
            overlap = tf.reduce_sum(truth * guess, (0, 1, 2))
            both = tf.reduce_sum(truth + guess, (0, 1, 2))
            present = tf.cast(tf.reduce_sum(truth, (0, 1, 2)) > 0, tf.float32)
            dice = (2 * overlap + 1) / (both + 1)
            total += 1 - tf.reduce_sum(dice * present) / tf.maximum(tf.reduce_sum(present), 1.0)
        return total

    return loss


def confusion_matrix(labels: np.ndarray, guesses: np.ndarray, n_classes: int) -> np.ndarray:
    """Return pixels by truth (row) and prediction (column), (n_classes, n_classes) int64, without label 255."""
    known = labels != IGNORE
    flat = labels[known].astype(np.int64) * n_classes + guesses[known]
    return np.bincount(flat, minlength=n_classes**2).reshape(n_classes, n_classes)


def scores(matrix: np.ndarray) -> dict[Score, float]:
    """Return accuracy, mean intersection over union of the classes that occur, and Cohen's kappa."""
    total, hits = matrix.sum(), np.diag(matrix)
    union = matrix.sum(0) + matrix.sum(1) - hits
    chance = float((matrix.sum(0) * matrix.sum(1)).sum()) / float(total) ** 2
    accuracy = float(hits.sum() / total)
    return {
        "mean_iou": float((hits[union > 0] / union[union > 0]).mean()),
        "accuracy": accuracy,
        "kappa": (accuracy - chance) / (1 - chance) if chance < 1 else 0.0,
    }


# --- the model ------------------------------------------------------------------------------------


def parse_options(text: str) -> dict[str, int | float | str]:
    """Return ``width=16+dropout=0.1`` as a dictionary with numbers where they are numbers."""
    options: dict[str, int | float | str] = {}
    for pair in filter(None, text.replace(",", "+").split("+")):
        name, _, value = pair.partition("=")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def load_structure(path: Path) -> Callable[..., keras.Model]:
    """Return `build_model` of the file, or stop with what it lacks."""
    spec = importlib.util.spec_from_file_location("structure", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, "build_model", None)):
        raise SystemExit(f"{path}: no function build_model(input_shape, n_classes, **options)")
    return module.build_model


def check_model(model: keras.Model, shape: tuple[int, int, int], n_classes: int, structure: Path) -> None:
    """Try the model on one random batch before hours go into it."""
    batch = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    output = np.asarray(model(batch, training=False))
    expected = (2, *shape[:2], n_classes)
    if output.shape != expected:
        raise SystemExit(f"{structure}: a batch {batch.shape} gives {output.shape}, expected {expected}")
    if not np.allclose(output.sum(-1), 1, atol=1e-3):
        raise SystemExit(f"{structure}: the last layer must give probabilities (softmax over the classes)")


def build(
    structure: Path, shape: tuple[int, int, int], n_classes: int, options: dict[str, int | float | str]
) -> keras.Model:
    """Return the model of a structure file, tried out; an option that it does not know stops with those that it has."""
    build_model = load_structure(structure)
    known = [name for name, one in inspect.signature(build_model).parameters.items() if one.kind is one.KEYWORD_ONLY]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise SystemExit(f"{structure}: no option {', '.join(unknown)}; it has {', '.join(known)}")
    model = build_model(shape, n_classes, **options)
    check_model(model, shape, n_classes, structure)
    return model


def renumber(node: object, numbers: dict[int, int]) -> object:
    """Return a JSON value whose shared objects are numbered as they come; Keras numbers them by memory address."""
    if isinstance(node, dict):
        return {
            key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else renumber(value, numbers)
            for key, value in node.items()
        }
    return [renumber(value, numbers) for value in node] if isinstance(node, list) else node


def normalised_zip(source: Path) -> bytes:
    """Return a `.keras` file as bytes without dates and addresses: fixed times, sorted members, objects renumbered."""
    out = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name == "metadata.json":
                metadata = {key: value for key, value in json.loads(content).items() if key != "date_saved"}
                content = json.dumps(metadata, sort_keys=True).encode()
            elif name == "config.json":
                content = json.dumps(renumber(json.loads(content), {})).encode()
            new.writestr(zipfile.ZipInfo(name, ZIP_TIME), content)
    return out.getvalue()


# --- training -------------------------------------------------------------------------------------


class Trainer:
    """A model with its optimizer, one epoch at a time."""

    def __init__(self, model: keras.Model, n_classes: int, tiles: Tiles, settings: Settings) -> None:
        self.model, self.n_classes, self.tiles, self.settings = model, n_classes, tiles, settings
        steps = max(1, len(tiles.images) // settings.batch)
        warm_up = min(steps, 20)
        schedule = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate / 10,
            max(1, steps * settings.epochs - warm_up),
            warmup_target=settings.learning_rate,
            warmup_steps=warm_up,
        )
        self.optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
        self.optimizer.build(model.trainable_variables)
        loss = make_loss(settings.loss, class_weights(tiles.labels, n_classes, settings.class_weights))
        self._step = tf.function(self._make_step(loss), reduce_retracing=True)
        self._loss = loss
        self._probabilities = tf.function(lambda images: model(images, training=False), reduce_retracing=True)

    def _make_step(
        self, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                value = loss(labels, self.model(images, training=True))
            variables = self.model.trainable_variables
            self.optimizer.apply(tape.gradient(value, variables), variables)
            return value

        return step

    def run_epoch(self, epoch: int) -> float:
        """Learn from each tile once; return the mean loss."""
        losses = [self._step(images, labels) for images, labels in training_batches(self.tiles, self.settings, epoch)]
        return float(np.mean([float(value) for value in losses]))

    def judge(self, tiles: Tiles) -> tuple[float, np.ndarray]:
        """Return the mean loss on the tiles and the most probable class of each pixel, (N, H, W) int64."""
        losses, guesses = [], []
        for start in range(0, len(tiles.images), self.settings.batch):
            part = slice(start, start + self.settings.batch)
            probabilities = self._probabilities(tiles.images[part].astype("float32") / tiles.top)
            losses.append(float(self._loss(tiles.labels[part], probabilities)) * len(tiles.labels[part]))
            guesses.append(np.argmax(probabilities.numpy(), -1))
        return sum(losses) / len(tiles.images), np.concatenate(guesses)

    def state(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return copies of all weights of the model and of the optimizer."""
        return self.model.get_weights(), [variable.numpy() for variable in self.optimizer.variables]

    def restore(self, state: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
        """Set all weights to what `state` returned."""
        self.model.set_weights(state[0])
        for variable, value in zip(self.optimizer.variables, state[1], strict=True):
            variable.assign(value)


def write_checkpoint(path: Path, identity: str, trainer: Trainer, progress: Progress) -> None:
    """Write all that is needed to go on, under a temporary name, and rename it."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(pickle.dumps((identity, trainer.state(), dataclasses.asdict(progress))))
    os.replace(temporary, path)


def read_checkpoint(path: Path, identity: str, trainer: Trainer) -> Progress:
    """Return the progress of a training with the same identity and set the weights to it; else a fresh one.

    The file is our own, from the stage's scratch folder; it is no exchange format.
    """
    if not path.exists():
        return Progress()
    found, state, progress = pickle.loads(path.read_bytes())  # noqa: S301 - see above
    if found != identity:
        return Progress()
    trainer.restore(state)
    return Progress(**progress)


def train(
    trainer: Trainer, validation: Tiles, progress: Progress, after_epoch: Callable[[Progress], bool | None]
) -> Progress:
    """Train until the last epoch, the end of patience or `after_epoch` says True; the best weights stay."""
    settings = trainer.settings
    for epoch in range(progress.epoch, settings.epochs):
        if settings.patience and progress.best_epoch >= 0 and epoch - progress.best_epoch > settings.patience:
            print(f"no better epoch since {progress.best_epoch + 1}: stopped")
            break
        loss = trainer.run_epoch(epoch)
        validation_loss, guesses = trainer.judge(validation)
        found = scores(confusion_matrix(validation.labels, guesses, trainer.n_classes))
        judged = {"loss": validation_loss, **found}
        progress.history.append(
            {"epoch": epoch + 1, "train_loss": loss, **{f"validation_{name}": value for name, value in judged.items()}}
        )
        if found[settings.score] > progress.best_score:
            progress.best_epoch, progress.best_score = epoch, found[settings.score]
            progress.best_weights = trainer.model.get_weights()
        progress.epoch = epoch + 1
        print(f"epoch {epoch + 1}/{settings.epochs}: loss {loss:.4f}, validation accuracy {found['accuracy']:.4f}, "
              f"mean IoU {found['mean_iou']:.4f}", flush=True)  # fmt: skip
        if after_epoch(progress):
            break
    trainer.model.set_weights(progress.best_weights)
    return progress


# --- what it leaves -------------------------------------------------------------------------------


def dataset_digest(dataset: Path) -> str:
    """Return the SHA-256 over the paths and contents of all files of the dataset."""
    digest = hashlib.sha256()
    for path in sorted(path for path in dataset.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(dataset).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def history_csv(history: list[dict[str, float]]) -> str:
    """Return the epochs as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: value if key == "epoch" else f"{value:.6f}" for key, value in line.items()} for line in history
    )
    return text.getvalue()


def make_card(
    manifest: dict[str, object],
    structure: dict[str, object],
    digest: str,
    model: keras.Model,
    *,
    settings: Settings,
    progress: Progress,
) -> dict[str, object]:
    """Return the model's card: all that is needed to use it and to know where it comes from. No date: it is in Git."""
    return {
        "version": 1,
        "simulated": manifest["simulated"],
        "attribution": manifest["attribution"],
        "classes": manifest["classes"],
        "bands": manifest["bands"],
        "bits": manifest["bits"],
        "scale": manifest["scale"],
        "tile": manifest["size"],
        "input": "(N, tile, tile, bands) float32, 0 = no data, else with top = 2**bits - 1: "
        "clip(1 + rint((DN - minimum) * (top - 1) / (maximum - minimum)), 1, top) / top",
        "output": "(N, tile, tile, classes) float32 probabilities",
        "structure": structure,
        "parameter_count": int(model.count_params()),
        "dataset": {
            "sha256": digest, "tiles": manifest["tile_count"], "label_pixels": manifest["label_pixels"],
            "split": manifest["split"],
        },
        "training": dataclasses.asdict(settings),
        "best": {
            "epoch": progress.best_epoch + 1, settings.score: round(progress.best_score, 6),
            "epochs_run": progress.epoch,
        },
        "versions": {
            "python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__,
            "numpy": np.__version__,
        },
    }  # fmt: skip


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to a neighbouring temporary file and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def save_model(model: keras.Model, path: Path) -> None:
    """Save the model so that equal weights give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.part.keras")
    model.save(temporary)
    write_atomically(path, normalised_zip(temporary))
    temporary.unlink()


def make_deterministic(seed: int, threads: int) -> None:
    """Seed everything and let TensorFlow add up in a fixed order, with a fixed number of threads."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def parse_arguments() -> argparse.Namespace:
    """Return the service's arguments; service.yaml describes them."""
    defaults = Settings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--structure", type=Path, required=True)
    parser.add_argument("--options", default="")
    for name, choices in (("loss", Loss), ("class-weights", ClassWeights), ("augment", Augment), ("score", Score)):
        parser.add_argument(f"--{name}", choices=get_args(choices), default=getattr(defaults, name.replace("-", "_")))
    for name in ("epochs", "patience", "batch", "learning-rate", "weight-decay", "seed"):
        default = getattr(defaults, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--threads", type=int, default=2)
    for name in ("model", "card", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Read the arguments, train, and write model, card and history."""
    arguments = parse_arguments()
    settings = Settings(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(Settings)})
    make_deterministic(settings.seed, arguments.threads)
    manifest = json.loads((arguments.dataset / "manifest.json").read_text(encoding="utf-8"))
    n_classes = len(manifest["classes"])
    shape = (manifest["size"], manifest["size"], len(manifest["bands"]))
    options = parse_options(arguments.options)
    model = build(arguments.structure, shape, n_classes, options)

    trainer = Trainer(model, n_classes, read_tiles(arguments.dataset, manifest, "train"), settings)
    validation = read_tiles(arguments.dataset, manifest, "validation")
    structure = {
        "file": arguments.structure.name,
        "sha256": hashlib.sha256(arguments.structure.read_bytes()).hexdigest(),
        "options": options,
    }
    digest = dataset_digest(arguments.dataset)
    identity = json.dumps([digest, structure, dataclasses.asdict(settings)], sort_keys=True)
    checkpoint = Path(os.environ["SWATH_SCRATCH"], "checkpoint.pickle") if "SWATH_SCRATCH" in os.environ else None
    progress = read_checkpoint(checkpoint, identity, trainer) if checkpoint else Progress()
    kind = "SIMULATED" if manifest["simulated"] else "real"
    print(f"{len(trainer.tiles.images)} training and {len(validation.images)} validation tiles of {kind} scenes, "
          f"{model.count_params():,} weights" + (f", going on after epoch {progress.epoch}" if progress.epoch else ""),
          flush=True)  # fmt: skip
    progress = train(
        trainer,
        validation,
        progress,
        lambda now: write_checkpoint(checkpoint, identity, trainer, now) if checkpoint else None,
    )
    save_model(model, arguments.model)
    card = make_card(manifest, structure, digest, model, settings=settings, progress=progress)
    write_atomically(arguments.card, (json.dumps(card, indent=1) + "\n").encode())
    write_atomically(arguments.history, history_csv(progress.history).encode())
    print(f"kept epoch {progress.best_epoch + 1}: validation {settings.score} {progress.best_score:.4f}")


if __name__ == "__main__":
    main()
