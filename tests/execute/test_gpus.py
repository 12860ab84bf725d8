"""`execute/gpus.py`: CUDA_VISIBLE_DEVICES first, else what nvidia-smi lists; a program of that name stands in for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.execute.gpus import visible_gpus


@pytest.mark.parametrize(
    ("said", "gpus"),
    [
        ("", ()),
        ("0", (0,)),
        ("2,0", (2, 0)),
        (" 1 , 3 ", (1, 3)),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("0,-1,1", (0,)),  # CUDA sees those before the first that is none
        ("1,²", (1,)),
    ],
)
def test_the_variable_counts(said: str, gpus: tuple[int, ...]) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": said}) == gpus


@given(st.text())
def test_whatever_it_says_there_are_only_numbers(said: str) -> None:
    assert all(number >= 0 for number in visible_gpus({"CUDA_VISIBLE_DEVICES": said}))


@given(st.lists(st.integers(0, 99), unique=True))
def test_numbers_come_back(numbers: list[int]) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ",".join(map(str, numbers))}) == tuple(numbers)


def program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an nvidia-smi first on the path."""
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


LISTING = """\
[ "$*" = --list-gpus ] || exit 9
echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)'
echo '  MIG 1g.18gb Device 0: (UUID: MIG-1)'
echo 'GPU 1: NVIDIA H200 (UUID: GPU-2)'"""


@pytest.mark.parametrize(
    ("script", "gpus"),
    [
        (LISTING, (0, 1)),
        ("echo 'No devices were found'", ()),
        ('echo "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver."; exit 9', ()),
    ],
)
def test_without_it_the_driver_is_asked(
    script: str, gpus: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, script, monkeypatch)
    assert visible_gpus({}) == gpus
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "7"}) == (7,)


def test_without_driver_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus({}) == ()
