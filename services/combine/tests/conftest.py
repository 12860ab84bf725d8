"""Loads the service's program, and makes small scenes for it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[1]
PROGRAM = next(path for path in sorted(FOLDER.glob("*.py")))
REAL_DATA = Path(os.environ.get("SWATH_DATA", FOLDER.parents[2] / "shared/data"))


@pytest.fixture(scope="session")
def program() -> ModuleType:
    """The service's program as a module."""
    for needed in ("numpy", "PIL", "rasterio"):
        pytest.importorskip(
            needed, reason=f"{needed} is in the service's own environment: run `swath service test {FOLDER.name}`"
        )
    spec = importlib.util.spec_from_file_location(f"service_{PROGRAM.stem}", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run():
    """Start the program as its own process; returns the finished process."""

    def start(*arguments: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess:
        words = [sys.executable, str(PROGRAM), *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environment})
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return start


@pytest.fixture
def real_data() -> Path:
    """The folder of real data; the test is skipped, with the reason, where it is absent."""
    if not (REAL_DATA / "eolearn-slovenia").is_dir():
        pytest.skip(f"NO REAL DATA: {REAL_DATA}/eolearn-slovenia is absent; SWATH_DATA names another folder")
    return REAL_DATA
