"""Runs the service's program, and finds the replay server and the real data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
DATA = Path(os.environ.get("SWATH_DATA", ROOT.parent / "shared" / "data"))

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    """Start the program with these words."""

    def start(*words: object) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"SWATH_RETRY_WAIT_S": "0.01"}
        environment.pop("SWATH_SCRATCH", None)
        program = FOLDER / f"{FOLDER.name}.py"
        return subprocess.run(
            [sys.executable, program, *map(str, words)], capture_output=True, text=True, env=environment, check=False
        )

    return start


@pytest.fixture
def real_data() -> Path:
    """The folder of real data, which is not part of the project."""
    if not DATA.is_dir():
        pytest.skip(f"REAL DATA NOT THERE: {DATA}; set SWATH_DATA")
    return DATA
