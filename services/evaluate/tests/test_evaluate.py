"""`evaluate`: figures worked out by hand, blending, and pictures that say what they show."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # of Keras, beneath NumPy 2


def manifest(**change):
    """A scene of 8 x 12 px in two test tiles of 8 px that overlap by 4."""
    tiles = [{"file": f"a_{column}.png", "scene": "a", "part": "test", "row": 0, "column": column} for column in (0, 4)]
    place = {
        "acquired": "2020-06-01T10:00:00Z",
        "crs": "EPSG:32632",
        "transform": [10, 0, 0, 0, -10, 0],
        "width": 12,
        "height": 8,
    }
    return {
        "simulated": True, "attribution": ["nobody"], "bands": ["B04"], "bits": 8, "scale": [[0, 100]], "size": 8,
        "classes": [
            {"index": 0, "name": "meadow", "colour": "#ffee00"}, {"index": 1, "name": "forest", "colour": "#008800"},
        ],
        "label_pixels": {"train": {"0": 5, "1": 50}}, "scenes": {"a": {**place, "simulated": True}}, "tiles": tiles,
        **change,
    }  # fmt: skip


@pytest.fixture
def dataset(program, tmp_path):
    """The manifest's tiles: bright pixels (left half) are forest, the last row has no label."""
    import numpy as np
    from PIL import Image

    scene = np.full((8, 12), 20, dtype="uint8")
    scene[:, :6] = 220
    label = (scene > 100).astype("uint8")
    label[-1] = 255

    def write(**change):
        document = manifest(**change)
        folder = tmp_path / "dataset"
        for kind in ("images", "labels"):
            (folder / "test" / kind).mkdir(parents=True)
        for tile in document["tiles"]:
            window = slice(tile["column"], tile["column"] + 8)
            Image.fromarray(np.ascontiguousarray(scene[:, window])).save(folder / "test/images" / tile["file"])
            Image.fromarray(np.ascontiguousarray(label[:, window])).save(folder / "test/labels" / tile["file"])
        (folder / "manifest.json").write_text(json.dumps(document))
        card = {"bands": ["B04"], "bits": 8, "scale": [[0, 100]], "tile": 8, "classes": document["classes"]}
        (tmp_path / "card.json").write_text(json.dumps(card))
        return folder

    return write


@pytest.fixture
def threshold(program, tmp_path):
    """A model that calls bright pixels forest."""
    import keras
    import numpy as np

    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1, activation="softmax")(inputs))
    model.set_weights([np.array([[[[0.0, 20.0]]]]), np.array([0.0, -10.0])])
    model.save(tmp_path / "model.keras")
    return model


@pytest.fixture
def evaluate(run, tmp_path):
    def evaluate(folder, code=0):
        outs = [word for name in ("metrics", "confusion", "map") for word in (f"--{name}", tmp_path / f"out/{name}")]
        model = ("--model", tmp_path / "model.keras", "--card", tmp_path / "card.json")
        return run("--dataset", folder, *model, *outs, code=code)

    return evaluate


def test_a_perfect_model_on_simulated_data(dataset, threshold, evaluate, tmp_path):
    from PIL import Image

    done = evaluate(dataset())
    metrics = json.loads((tmp_path / "out/metrics").read_text())
    assert metrics["data"] == "simulated"
    assert "SIMULATED data" in done.stdout
    assert metrics["test"]["accuracy"] == metrics["test"]["kappa"] == metrics["test"]["mean_iou"] == 1
    assert metrics["test"]["pixels"] == 7 * 12, "overlapping tiles count a pixel once, unlabelled ones not at all"
    assert metrics["test"]["majority_accuracy"] == 0.5
    assert metrics["classes"]["forest"]["pixels"] == 42
    lines = (tmp_path / "out/confusion").read_text().splitlines()
    assert lines[:3] == ["truth,prediction,pixels,share", "meadow,meadow,42,1.0", "meadow,forest,0,0.0"]
    with Image.open(tmp_path / "out/map") as picture:
        assert picture.width > 1000


def test_same_model_same_bytes(dataset, threshold, evaluate, tmp_path):
    folder = dataset()
    evaluate(folder)
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    evaluate(folder)
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_a_model_for_other_bands_is_refused(dataset, threshold, evaluate):
    assert "differ in bands: ['B04'] and ['B08']" in evaluate(dataset(bands=["B08"]), code=1).stderr


def test_figures_worked_out_by_hand(program):
    import numpy as np

    metrics = program.make_metrics(np.array([[2, 1], [1, 4]]), manifest(simulated=False))
    assert metrics["data"] == "real"
    assert metrics["test"]["accuracy"] == 0.75
    assert metrics["test"]["majority_accuracy"] == metrics["test"]["training_majority_accuracy"] == 0.625
    assert metrics["test"]["gain_over_majority"] == 0.125
    assert metrics["test"]["balanced_accuracy"] == pytest.approx((2 / 3 + 4 / 5) / 2, abs=1e-6)
    assert metrics["test"]["mean_iou"] == pytest.approx((2 / 4 + 4 / 6) / 2, abs=1e-6)
    assert metrics["test"]["kappa"] == pytest.approx((0.75 - 34 / 64) / (1 - 34 / 64), abs=1e-6)
    assert metrics["classes"]["forest"]["f1"] == 0.8


def test_a_class_that_does_not_occur_costs_nothing(program):
    import numpy as np

    metrics = program.make_metrics(np.array([[3, 0], [0, 0]]), manifest())
    assert metrics["test"]["mean_iou"] == 1
    assert metrics["classes"]["forest"]["iou"] == 0


def test_the_middle_of_a_tile_weighs_most(program):
    window = program.hann_window(16)
    assert window.min() > 0
    assert window.argmax() in (7 * 16 + 7, 7 * 16 + 8, 8 * 16 + 7, 8 * 16 + 8)
    assert (window == window.T).all()


def test_large_scenes_are_made_smaller_and_small_ones_larger(program):
    import numpy as np

    assert program.enlarge(np.zeros((4000, 3000, 3), "uint8"), 0).height == 2 * program.PANEL_PX
    assert program.enlarge(np.zeros((100, 50, 3), "uint8"), 5).size == (250, 500)
