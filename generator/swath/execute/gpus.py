"""The NVIDIA GPUs of this machine, or of the container that we are in, by name.

A name is what CUDA_VISIBLE_DEVICES takes: a number, a UUID (``GPU-…``) or that of a part of a GPU (``MIG-…``). Names
are counted and handed on as they are; nothing else is read into them.

Source: https://docs.nvidia.com/cuda/cuda-c-programming-guide/#cuda-environment-variables and
https://docs.nvidia.com/datacenter/tesla/mig-user-guide/#cuda-visible-devices, read 2026-11-28.
"""

from __future__ import annotations

import re
import subprocess
from itertools import takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_VISIBLE_DEVICES: Final = "CUDA_VISIBLE_DEVICES"
_OF_A_CONTAINER: Final = "NVIDIA_VISIBLE_DEVICES"  # set in containers that have GPUs
_NUMBER: Final = re.compile(r"[0-9]+")
_NAME: Final = re.compile(r"[0-9]+|(?:GPU|MIG)-[0-9A-Za-z/-]+")
_LISTED: Final = re.compile(r"(GPU|\s+MIG) .*\(UUID: ([^)]+)\)")
_TIMEOUT_S: Final = 10


def visible_gpus(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the GPUs that we may use, each once.

    What CUDA_VISIBLE_DEVICES says, if it is set; else what nvidia-smi lists, by number, and the parts of a GPU that is
    divided in its place, by name.
    """
    said = environ.get(_VISIBLE_DEVICES)
    if said is not None:
        return named_gpus(said)
    gpus: list[list[str]] = []  # each with its parts
    for kind, uuid in _listed():
        if kind == "GPU":
            gpus.append([])
        elif gpus:
            gpus[-1].append(uuid)
    return tuple(name for number, parts in enumerate(gpus) for name in parts or [str(number)])


def named_gpus(text: str) -> tuple[str, ...]:
    """The names in a value of CUDA_VISIBLE_DEVICES: as in CUDA, those before the first that is none, such as -1."""
    names = (part.strip() for part in text.split(","))
    return tuple(dict.fromkeys(takewhile(_NAME.fullmatch, names)))


def engine_names(gpus: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names by which a container engine knows GPUs.

    In a container that has some of a machine's GPUs they are numbered from 0 there, while the engine counts all of the
    machine; UUIDs hold on both sides.
    """
    if _OF_A_CONTAINER not in environ or not any(_NUMBER.fullmatch(name) for name in gpus):
        return tuple(gpus)
    uuids = {str(number): uuid for number, uuid in enumerate(uuid for kind, uuid in _listed() if kind == "GPU")}
    return tuple(uuids.get(name, name) for name in gpus)


def _listed() -> Iterator[tuple[str, str]]:
    """What nvidia-smi lists: ``GPU`` or ``MIG``, and its UUID; a GPU stands before its parts."""
    words = ["nvidia-smi", "--list-gpus"]
    try:
        result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return
    for found in filter(None, map(_LISTED.fullmatch, result.stdout.splitlines())):
        yield found[1].strip(), found[2]
