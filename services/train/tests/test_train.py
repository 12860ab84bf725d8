"""`train`: what is learnt, what is kept, and that a killed training ends with the same bytes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # of Keras, beneath NumPy 2

STRUCTURE = """
import keras
def build_model(input_shape, n_classes, *, width=4):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(n_classes, 1, activation="softmax")(x))
"""


@pytest.fixture
def dataset(program, tmp_path):
    """Two bands of which the first tells the class, in tiles of 8 px; some labels are unknown."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    folder, tiles, pixels = tmp_path / "dataset", [], {}
    for part, count in (("train", 12), ("validation", 4), ("test", 2)):
        for kind in ("images", "labels"):
            (folder / part / kind).mkdir(parents=True)
        for index in range(count):
            classes = rng.integers(0, 2, (8, 8)).astype("uint8")
            bands = np.stack([60 + 120 * classes + rng.integers(0, 40, (8, 8)), rng.integers(1, 255, (8, 8))])
            label = np.where(rng.random((8, 8)) < 0.1, 255, classes).astype("uint8")
            name = f"a_{index}.png"
            Image.fromarray(bands.reshape(16, 8).astype("uint8")).save(folder / part / "images" / name)
            Image.fromarray(label).save(folder / part / "labels" / name)
            tiles.append({"file": name, "scene": "a", "part": part, "row": 0, "column": 8 * index})
        pixels[part] = {"0": 1, "1": 1}
    manifest = {
        "simulated": True, "attribution": [], "bands": ["B04", "B08"], "bits": 8, "scale": [[0, 1], [0, 1]], "size": 8,
        "classes": [{"index": i, "name": n, "colour": "#000000"} for i, n in enumerate("ab")], "split": {},
        "tiles": tiles, "tile_count": {}, "label_pixels": pixels,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "structure.py").write_text(STRUCTURE)
    return folder


@pytest.fixture
def train(dataset, run, tmp_path):
    """Start a training into a folder; returns the finished process."""

    def train(out, *words, code=0, **environment):
        paths = [
            word for name in ("model", "card", "history") for word in (f"--{name}", tmp_path / out / f"{name}.keras")
        ]
        return run(
            "--dataset", dataset, "--structure", tmp_path / "structure.py", "--batch", 4, "--learning-rate", 0.02,
            *words, *paths,
            code=code, **environment,
        )  # fmt: skip

    return train


def test_it_learns_keeps_the_best_epoch_and_says_what_it_is(train, tmp_path):
    done = train("a", "--epochs", 12, "--patience", 0)
    lines = (tmp_path / "a/history.keras").read_text().splitlines()
    assert lines[0] == "epoch,train_loss,validation_loss,validation_mean_iou,validation_accuracy,validation_kappa"
    scores = [float(line.split(",")[3]) for line in lines[1:]]
    card = json.loads((tmp_path / "a/card.keras").read_text())
    assert card["simulated"] is True
    assert "SIMULATED scenes" in done.stdout
    assert card["best"]["mean_iou"] == pytest.approx(max(scores), abs=1e-5)
    assert card["best"]["epoch"] == 1 + scores.index(max(scores))
    assert max(scores) > 0.8
    assert set(card) >= {"bands", "classes", "scale", "tile", "dataset", "training", "versions", "structure"}


def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(train, dataset, program, tmp_path):
    whole, scratch = tmp_path / "whole", tmp_path / "scratch"
    train("whole", "--epochs", 5)
    scratch.mkdir()
    killer = STRUCTURE + "\nimport os, threading, time, pathlib\n" + (
        "def _kill():\n"
        "    path = pathlib.Path(os.environ['SWATH_SCRATCH'], 'checkpoint.pickle')\n"
        "    while not path.exists(): time.sleep(0.002)\n"
        "    os.kill(os.getpid(), 9)\n"
        "if os.environ.get('KILL'): threading.Thread(target=_kill, daemon=True).start()\n"
    )  # fmt: skip
    (tmp_path / "structure.py").write_text(killer)
    train("cut", "--epochs", 5, code=-9, SWATH_SCRATCH=str(scratch), KILL="1")
    assert not (tmp_path / "cut/model.keras").exists()
    done = train("cut", "--epochs", 5, SWATH_SCRATCH=str(scratch))
    assert "going on after epoch" in done.stdout
    for name in ("model.keras", "history.keras"):
        assert (tmp_path / "cut" / name).read_bytes() == (whole / name).read_bytes()


def test_another_training_does_not_take_the_checkpoint(train, tmp_path):
    (tmp_path / "scratch").mkdir()
    train("a", "--epochs", 1, SWATH_SCRATCH=str(tmp_path / "scratch"))
    done = train("b", "--epochs", 2, "--seed", 5, SWATH_SCRATCH=str(tmp_path / "scratch"))
    assert "going on" not in done.stdout


def test_a_saved_model_has_no_dates_and_loads(program, tmp_path):
    import keras

    (tmp_path / "structure.py").write_text(STRUCTURE)
    model = program.load_structure(tmp_path / "structure.py")((8, 8, 2), 2)
    program.save_model(model, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert "date_saved" not in json.loads(archive.read("metadata.json"))
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ("x = 1", "no function build_model"),
        (STRUCTURE.replace("n_classes, 1,", "n_classes, 3,"), "expected (2, 8, 8, 2)"),
        (STRUCTURE.replace('"softmax"', '"relu"'), "must give probabilities"),
    ],
)
def test_a_wrong_structure_is_found_before_training(train, tmp_path, structure, message):
    (tmp_path / "structure.py").write_text(structure)
    done = train("a", code=1)
    assert message in done.stderr
    assert "epoch 1" not in done.stdout


def test_an_unknown_option_is_named_with_those_that_exist(train):
    assert "no option depth; it has width" in train("a", "--options", "width=2+depth=3", code=1).stderr


@pytest.mark.parametrize("kind", ["crossentropy", "dice", "both"])
def test_unknown_pixels_change_no_loss(program, kind):
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (2, 4, 4)).astype("uint8")
    labels[:, 0] = 255
    guess = tf.nn.softmax(rng.normal(size=(2, 4, 4, 3)).astype("float32"))
    other = np.array(guess)
    other[:, 0] = [1, 0, 0]
    loss = program.make_loss(kind, np.ones(3, dtype="float32"))
    assert float(loss(labels, guess)) == pytest.approx(float(loss(labels, other)), rel=1e-6)
    assert float(loss(labels, tf.one_hot(labels, 3))) == pytest.approx(0, abs=1e-5)


def test_rare_classes_get_more_weight_and_the_mean_stays_one(program):
    import numpy as np

    labels = np.array([0] * 90 + [1] * 10 + [255] * 50, dtype="uint8")
    for method, factor in (("none", 1), ("sqrt", 3), ("balanced", 9)):
        weights = program.class_weights(labels, 3, method)
        assert weights[1] / weights[0] == pytest.approx(factor)
        assert (90 * weights[0] + 10 * weights[1]) / 100 == pytest.approx(1)
    assert program.class_weights(labels, 3, "balanced")[2] == 0, "a class that never occurs cannot divide by zero"


def test_scores_against_figures_worked_out_by_hand(program):
    import numpy as np

    truth = np.array([0, 0, 0, 1, 1, 255], dtype="uint8")
    matrix = program.confusion_matrix(truth, np.array([0, 0, 1, 1, 0, 1]), 2)
    assert matrix.tolist() == [[2, 1], [1, 1]]
    found = program.scores(matrix)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["mean_iou"] == pytest.approx((2 / 4 + 1 / 3) / 2)
    assert found["kappa"] == pytest.approx((0.6 - 0.52) / 0.48)


def test_image_and_label_turn_together(program):
    import numpy as np

    label = np.arange(16, dtype="uint8").reshape(4, 4)
    positions = set()
    for choice in range(8):
        image, turned = program.quarter_turn_and_flip(label[..., None].astype("float32"), label, np.int32(choice))
        assert (np.asarray(image)[..., 0] == np.asarray(turned)).all()
        positions.add(np.asarray(turned).tobytes())
    assert len(positions) == 8


def test_order_and_augmentation_follow_from_seed_and_epoch(program):
    import numpy as np

    images = np.random.default_rng(0).integers(0, 255, (10, 8, 8, 2)).astype("uint8")
    tiles = program.Tiles(images, images[..., 0], 255)
    settings = program.Settings(batch=4)
    epochs = [[x.numpy() for x, _ in program.training_batches(tiles, settings, epoch)] for epoch in (1, 1, 2)]
    assert all((a == b).all() for a, b in zip(epochs[0], epochs[1], strict=True))
    assert not all((a == b).all() for a, b in zip(epochs[0], epochs[2], strict=True))


@pytest.mark.parametrize("name", ["unet", "segnet", "pspnet", "fcn8"])
@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_models_of_this_repository(program, name, size):
    folder = Path(program.__file__).parents[2] / "models"
    model = program.build(folder / f"{name}.py", (size, size, 6), 4, {"width": 4})
    assert model.output_shape == (None, size, size, 4)
    momenta = {layer.momentum for layer in model.layers if hasattr(layer, "momentum")}
    assert momenta == {0.9}, "Keras' 0.99 leaves validation at a constant class for many epochs"
