"""The NVIDIA GPUs of this machine, or of the container that we are in."""

from __future__ import annotations

import subprocess
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def visible_gpus(environ: Mapping[str, str]) -> tuple[int, ...]:
    """Numbers of the GPUs that CUDA_VISIBLE_DEVICES leaves us: as in CUDA, those before the first that is none."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(map(int, takewhile(lambda part: part.strip().isdecimal(), visible.split(","))))
    try:
        result = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(range(sum(line.startswith("GPU ") for line in result.stdout.splitlines())))
