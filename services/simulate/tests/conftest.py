"""Makes one small archive for all tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]


def simulate(*words: object, code: int = 0) -> subprocess.CompletedProcess:
    for needed in ("shapely", "rasterio"):
        pytest.importorskip(needed, reason="in the service's own environment: swath service test simulate")
    command = [sys.executable, str(FOLDER / "simulate.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def run():
    """Start the program as its own process; returns the finished process."""
    return simulate


@pytest.fixture(scope="session")
def archive(tmp_path_factory) -> Path:
    """An archive of small scenes."""
    out = tmp_path_factory.mktemp("simulated") / "archive"
    simulate("--out", out, "--size", 128)
    return out
