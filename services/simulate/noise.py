"""Random fields with spatial correlation, from numpy alone; used by `landscape.py` and `spectra.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]


def generator(*words: int | str) -> np.random.Generator:
    """A random generator for a purpose that `words` name; the same words give the same numbers on every machine."""
    seed = [value for word in words for value in ([word] if isinstance(word, int) else word.encode())]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def box_mean(field: Field, radius: int, axis: int) -> Field:
    """The mean of 2 x `radius` + 1 neighbours along an axis, edges mirrored."""
    widths = [(0, 0)] * field.ndim
    widths[axis] = (radius + 1, radius)
    sums = np.moveaxis(np.cumsum(np.pad(field, widths, mode="symmetric"), axis=axis), axis, 0)
    window = 2 * radius + 1
    return np.moveaxis((sums[window:] - sums[:-window]) / window, 0, axis)


def smooth(field: Field, radius: int) -> Field:
    """Blur the last two axes: three box means, near to a Gaussian of standard deviation `radius` pixels."""
    for _ in range(3 if radius else 0):
        field = box_mean(box_mean(field, radius, field.ndim - 1), radius, field.ndim - 2)
    return field


def correlated(random: np.random.Generator, shape: tuple[int, ...], radius: int) -> Field:
    """Noise of mean 0 and variance 1 whose values resemble each other within about `radius` pixels."""
    field = smooth(random.standard_normal(shape), radius)
    mean = field.mean(axis=(-2, -1), keepdims=True)
    even: Field = (field - mean) / field.std(axis=(-2, -1), keepdims=True)
    return even
