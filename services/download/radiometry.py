"""What the numbers of a Sentinel-2 scene mean.

Since processing baseline 04.00 the producer adds 1000 to all numbers, so that -1000 has to be added again. Catalogues
state it, some of them wrongly, so the numbers are asked too: plants are dark in red light and bright in infrared.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Check = Literal["ok", "corrected", "undecided"]
Numbers = NDArray[np.uint16]

L1C_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
L2A_BANDS = tuple(band for band in L1C_BANDS if band != "B10")
OFFSET = -1000
CHECK_BANDS = ("B04", "B08", "B12", "B10")
PLANTS_NDVI = 0.5
DECISIVE_SHARE = 0.02
"""Share of the scene that has to be plants before they are believed."""
LOWEST_WITH_OFFSET = 950
"""Numbers that carry the +1000 are hardly ever lower: reflectance is not below -0.005."""


def bands_of(level: str) -> tuple[str, ...]:
    """The bands of a level, in the order of our files."""
    return L2A_BANDS if level == "L2A" else L1C_BANDS


def no_data(numbers: Numbers) -> NDArray[np.bool_]:
    """Where there is no data, (H, W): most bands are 0. A single 0 is a dark pixel, or the ragged edge of one band."""
    return (numbers == 0).sum(axis=0) * 2 > numbers.shape[0]


def to_reflectance(numbers: Numbers, offset: int) -> Numbers:
    """Numbers with reflectance = number / 10000: 0 is no data in all bands, a valid pixel is at least 1."""
    shifted = np.clip(numbers.astype(np.int32) + offset, 1, np.iinfo(np.uint16).max)
    return np.where(no_data(numbers), 0, shifted).astype(np.uint16)


def checked_offset(sample: dict[str, Numbers], stated: int) -> tuple[int, Check]:
    """The offset to add, and how it compares with what the catalogue states.

    Args:
        sample: numbers of `CHECK_BANDS`, as far as there are such, all of one shape.
        stated: what the catalogue says must be added.
    """
    if stated not in {0, OFFSET} or not {"B04", "B08"} <= sample.keys():
        return stated, "undecided"
    numbers = np.stack(list(sample.values()))
    valid = ~no_data(numbers) & (sample["B04"] > 0) & (sample["B08"] > 0)
    if not valid.any():
        return stated, "undecided"
    red, infrared = (sample[band][valid].astype(np.float64) for band in ("B04", "B08"))
    darkest = numbers[:, valid].min(axis=0)
    as_they_are = _plants(red, infrared)
    shifted = _plants(red + OFFSET, infrared + OFFSET) & (darkest >= LOWEST_WITH_OFFSET)
    low = float((darkest < LOWEST_WITH_OFFSET).mean())
    if low < 0.01 and shifted.mean() >= DECISIVE_SHARE:
        found = OFFSET
    elif as_they_are.mean() >= DECISIVE_SHARE and (darkest[as_they_are] < LOWEST_WITH_OFFSET).mean() > 0.5:
        found = 0
    else:
        return stated, "undecided"
    return found, "ok" if found == stated else "corrected"


def _plants(red: NDArray[np.float64], infrared: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where these reflectances are those of plants."""
    return (red > 0) & (infrared > 1500) & ((infrared - red) > PLANTS_NDVI * (infrared + red))
