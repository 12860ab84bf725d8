"""`local/machine.py`: what there is to give."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from swath.local import machine
from swath.local.machine import this_machine


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    machine._gpus.cache_clear()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_a_job_for_each_core_unless_told() -> None:
    cores = len(os.sched_getaffinity(0))
    assert this_machine(None).jobs == cores
    assert this_machine(7).jobs == 7
    assert this_machine(7).cpus == cores


def test_memory_is_at_most_the_machines() -> None:
    assert 0 < this_machine(1).memory_bytes <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("visible", "numbers"),
    [("", ()), ("0", ("0",)), ("2,0", ("2", "0")), (" 1 ", ("1",)), ("-1", ()), ("GPU-abc", ("GPU-abc",))],
)
def test_visible_devices_say_which_gpus(
    visible: str, numbers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert this_machine(1).gpus == numbers


@pytest.mark.parametrize(
    ("script", "numbers"),
    [
        ("echo 'GPU 0: A100 (UUID: x)'; echo 'GPU 1: A100 (UUID: y)'", ("0", "1")),
        ("echo 'No devices were found'", ()),
        ("exit 9", ()),
    ],
)
def test_the_driver_is_asked_otherwise(
    tmp_path: Path, script: str, numbers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert this_machine(1).gpus == numbers


def test_without_a_driver_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert this_machine(1).gpus == ()
