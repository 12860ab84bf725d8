"""`execute/gpus.py`: CUDA_VISIBLE_DEVICES first, else what nvidia-smi lists; a program of that name stands in for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.execute.gpus import engine_names, visible_gpus

UUID, MIG, OLD_MIG = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-4f5e-66ab", "MIG-GPU-8932f937/1/0"


@pytest.mark.parametrize(
    ("said", "gpus"),
    [
        ("", ()),
        ("0", ("0",)),
        ("2,0", ("2", "0")),
        (" 1 , 3 ", ("1", "3")),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("none", ()),
        ("0,-1,1", ("0",)),  # CUDA sees those before the first that is none
        ("1,²", ("1",)),
        ("٣", ()),
        (f"{UUID}, GPU-1b", (UUID, "GPU-1b")),
        (f"{MIG},{OLD_MIG}", (MIG, OLD_MIG)),
        ("GPU-", ()),
        ("GPU-a b", ()),
        ("1,0,1", ("1", "0")),  # a GPU belongs to one stage, however often it is named
    ],
)
def test_the_variable_counts(said: str, gpus: tuple[str, ...]) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": said}) == gpus


@given(st.text())
def test_whatever_it_says_names_are_plain_and_each_stands_once(said: str) -> None:
    names = visible_gpus({"CUDA_VISIBLE_DEVICES": said})
    assert len(names) == len(set(names))
    assert all(name.isascii() and not set(name) & set(", \n\"'$") for name in names)


@given(st.lists(st.integers(0, 99), unique=True))
def test_numbers_come_back(numbers: list[int]) -> None:
    words = tuple(map(str, numbers))
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ",".join(words)}) == words


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
echo '  MIG 1g.18gb Device 1: (UUID: MIG-2)'
echo 'GPU 1: NVIDIA H200 (UUID: GPU-2)'"""


@pytest.mark.parametrize(
    ("script", "gpus"),
    [
        (LISTING, ("MIG-1", "MIG-2", "1")),
        ("echo 'No devices were found'", ()),
        ('echo "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver."; exit 9', ()),
    ],
)
def test_without_it_the_driver_is_asked(
    script: str, gpus: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, script, monkeypatch)
    assert visible_gpus({}) == gpus
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "7"}) == ("7",)


def test_without_driver_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus({}) == ()


def test_an_engine_gets_what_holds_outside_a_container_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, LISTING, monkeypatch)
    inside = {"NVIDIA_VISIBLE_DEVICES": "2,3"}
    assert engine_names(("1", "0", MIG), inside) == ("GPU-2", "GPU-1", MIG)
    assert engine_names(("1", "0", MIG), {}) == ("1", "0", MIG)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert engine_names(("1",), inside) == ("1",)
