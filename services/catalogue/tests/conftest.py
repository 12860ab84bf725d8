"""Makes small archives, and loads and starts the service's program."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("SWATH_DATA", FOLDER.parents[2] / "shared/data"))
BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
MODULES = ("catalogue", "rasters", "vectors", "memory")


@pytest.fixture
def modules(monkeypatch):
    """The program's modules by name; forgotten afterwards, since services share module names."""
    for needed in ("numpy", "rasterio", "pyogrio"):
        pytest.importorskip(
            needed, reason=f"{needed} is in the service's own environment: run `swath service test {FOLDER.name}`"
        )
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in MODULES:
        sys.modules.pop(name, None)
    loaded: dict[str, ModuleType] = {name: importlib.import_module(name) for name in MODULES}
    yield loaded
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def run(tmp_path):
    """Start the program as its own process with a cache of its own; returns the finished process."""
    pytest.importorskip("pyogrio", reason=f"run `swath service test {FOLDER.name}`")

    def start(archive: Path, out: Path, *more: str, code: int = 0, **environment: str):
        words = [sys.executable, str(FOLDER / "catalogue.py"), "--archive", str(archive), "--out", str(out), *more]
        variables = {**os.environ, "SWATH_CACHE_DIR": str(tmp_path / "cache"), **environment}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=variables)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return start


@pytest.fixture
def items(run, tmp_path):
    """Catalogue a folder; returns the items by id."""

    def read(archive: Path, *more: str) -> dict:
        out = tmp_path / "result" / "catalogue.json"
        run(archive, out, *more)
        return {item["id"]: item for item in json.loads(out.read_text(encoding="utf-8"))["features"]}

    return read


@pytest.fixture
def write_scene():
    """Write a small scene (reflectance of grass, or of clouds) with the given tags."""
    np = pytest.importorskip("numpy")
    rasterio = pytest.importorskip("rasterio")

    def write(path: Path, *, tags=None, level=None, names=BANDS, count=13, corner=(465180, 5080250), **profile):
        path.parent.mkdir(parents=True, exist_ok=True)
        value = dict(zip(BANDS, (1100, 780, 650, 400, 800, 2000, 2500, 2500, 2800, 900, 10, 1300, 600), strict=True))
        settings = {
            "driver": "GTiff", "dtype": "uint16", "crs": "EPSG:32633", "nodata": 0, "width": 20, "height": 20,
            "transform": rasterio.Affine(10, 0, corner[0], 0, -10, corner[1]), "count": count, **profile,
        }  # fmt: skip
        with rasterio.open(path, "w", **settings) as raster:
            for index in range(1, count + 1):
                grey = value[BANDS[(index - 1) % 13]] if level is None else level
                raster.write(np.full((20, 20), grey, settings["dtype"]), index)
                if names:
                    raster.set_band_description(index, names[index - 1])
            raster.update_tags(**(tags or {}))
        return path

    return write


@pytest.fixture
def write_mask(write_scene):
    """Write the cloud mask of a scene."""

    def write(path: Path, value: int):
        return write_scene(path, level=value, names=["clouds"], count=1, dtype="uint8", nodata=255)

    return write


@pytest.fixture
def write_truth():
    """Write squares with a class as GeoJSON, at the place of the small scenes."""

    def write(path: Path, count: int, west: float = 14.55, properties: dict | None = None, kind: str = "Polygon"):
        path.parent.mkdir(parents=True, exist_ok=True)
        ring = [[west, 45.87], [west + 0.005, 45.87], [west + 0.005, 45.875], [west, 45.875], [west, 45.87]]
        geometry = {"type": kind, "coordinates": [ring] if kind == "Polygon" else ring}
        feature = {"type": "Feature", "properties": properties or {"class_id": 1}, "geometry": geometry}
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature] * count}), encoding="utf-8")
        return path

    return write


@pytest.fixture
def slovenia() -> Path:
    """The folder of five real scenes; the test is skipped, with the reason, where it is absent."""
    folder = REAL_DATA / "eolearn-slovenia"
    if not folder.is_dir():
        pytest.skip(f"NO REAL DATA: {folder} is absent; SWATH_DATA names another folder")
    return folder
