# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub on loopback, and the program against it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[1]
PROGRAM = FOLDER / f"{FOLDER.name.replace('-', '_')}.py"
REAL_DATA = Path(os.environ.get("SWATH_DATA", FOLDER.parents[2] / "shared/data"))


def load(path: Path) -> ModuleType:
    """A file as a module of its own name in this folder, so that services do not get each other's."""
    spec = importlib.util.spec_from_file_location(f"{FOLDER.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


REPLAY = load(Path(__file__).with_name("replay.py"))


@pytest.fixture(autouse=True)
def _environment():
    """Skip, with the reason, outside of the service's own environment."""
    for needed in ("sentinelsat", "yaml"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is in the service's own environment: run `swath service test {FOLDER.name}`")


@pytest.fixture
def replay():
    """The module with Hub and Answer."""
    return REPLAY


@pytest.fixture
def hub():
    """A hub that knows nothing yet."""
    with REPLAY.playing(REPLAY.Hub()) as running:
        yield running


@pytest.fixture
def cassettes():
    """The folder of recorded answers; the test is skipped, with the reason, where it is absent."""
    folder = REAL_DATA / "hub-cassettes/dhus"
    if not folder.is_dir():
        pytest.skip(f"NO RECORDED ANSWERS: {folder} is absent; SWATH_DATA names another folder")
    return folder


@pytest.fixture
def run():
    """Start the program with an account; returns the finished process."""

    def start(*arguments: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess:
        account = {"DHUS_USER": "me", "DHUS_PASSWORD": "secret", "SWATH_SCRATCH": "", **environment}
        variables = {name: value for name, value in {**os.environ, **account}.items() if value}
        words = [sys.executable, str(PROGRAM), *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=variables)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "secret" not in done.stderr + done.stdout
        return done

    return start


@pytest.fixture
def client(monkeypatch):
    """The module that connects to a hub, with an account."""
    monkeypatch.setenv("DHUS_USER", "me")
    monkeypatch.setenv("DHUS_PASSWORD", "secret")
    return load(FOLDER / "hub.py")
