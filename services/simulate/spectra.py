"""Band values of a scene: class figures of a real patch, seasons, texture, clouds; reflectance x 10000 as float.

What is measured (statistics.json) and what is assumed (the factors below) is kept apart. `simulate.py` calls `paint`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from landscape import BROADLEAF, BUILT_UP, CONIFER, CROPLAND, GRASSLAND, MIXED, WATER
from noise import Field, correlated, generator, smooth
from numpy.typing import NDArray

STATISTICS = Path(__file__).resolve().parent / "statistics.json"
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
BLOCK = {"B01": 6, "B09": 6, "B10": 6, "B05": 2, "B06": 2, "B07": 2, "B8A": 2, "B11": 2, "B12": 2}
"""Pixels of 10 m that one pixel of the instrument covers, where it is more than one."""

MEASURED = {
    BROADLEAF: "forest_bright",
    CONIFER: "forest_dark",
    MIXED: "forest_middle",
    GRASSLAND: "grassland",
    CROPLAND: "grassland",
    BUILT_UP: "built_up",
}
WATER_MEAN = (1090, 820, 590, 360, 310, 260, 250, 210, 190, 90, 9, 90, 55)
"""Assumed: the patch has no water."""

VISIBLE, EDGE, NIR, SWIR = slice(1, 4), slice(4, 5), slice(5, 10), slice(11, 13)


STAND_SHARE = 0.45
"""Share of a class's variance that lies between stands; assumed."""
OTHER_KIND = 1.9
"""Groups of the other kind of tree in pure stands, in standard deviations."""
GROUP = 1.6
"""Groups of one kind in mixed stands."""
SLOPE = 0.04
"""Brightness of slopes towards and away from the sun."""
SHADOW = (9, 7)
"""Rows down and columns left from a cloud to its shadow."""


@dataclass(frozen=True, slots=True)
class View:
    """Which place is seen when.

    Attributes:
        site: names the place: what stays between dates is drawn by it.
        date: names the date.
        season: a key of `SEASONS`.
        seed: of the archive.
    """

    site: str
    date: str
    season: str
    seed: int


@dataclass(frozen=True, slots=True)
class Season:
    """One time of the year.

    Attributes:
        measured: the date in statistics.json whose figures are used.
        factors: assumed change of a class against that date: (visible, red edge, near infrared, short-wave infrared).
    """

    measured: str
    factors: dict[int, tuple[float, float, float, float]]


SEASONS = {
    "spring": Season(
        "20150711",
        {
            BROADLEAF: (1.06, 1.12, 0.86, 1.02),
            MIXED: (1.03, 1.06, 0.9, 0.99),
            CONIFER: (1.01, 1.0, 0.95, 0.96),
            GRASSLAND: (0.95, 0.92, 1.02, 0.85),
            CROPLAND: (1.28, 1.3, 0.72, 1.3),
        },
    ),
    "summer": Season("20150711", {CROPLAND: (1.12, 1.1, 0.94, 1.14)}),
    "late_summer": Season("20150830", {CROPLAND: (1.34, 1.32, 0.74, 1.36)}),
    "autumn": Season(
        "20150909",
        {
            BROADLEAF: (1.14, 1.18, 0.92, 1.08),
            MIXED: (1.07, 1.08, 0.92, 1.01),
            CONIFER: (1.0, 0.98, 0.92, 0.94),
            GRASSLAND: (1.02, 1.02, 0.88, 0.98),
            CROPLAND: (1.3, 1.26, 0.68, 1.28),
        },
    ),
}


@functools.cache
def statistics() -> dict[str, dict[str, dict[str, dict[str, list[float]]]]]:
    """The measured figures."""
    return json.loads(STATISTICS.read_text())  # type: ignore[no-any-return]  # our own file


def factor_per_band(factors: tuple[float, float, float, float]) -> Field:
    """One factor for each of the 13 bands."""
    result = np.ones(len(BANDS))
    for part, factor in zip((VISIBLE, EDGE, NIR, SWIR), factors, strict=True):
        result[part] = factor
    return result


def class_figures(season: Season, number: int) -> tuple[Field, Field]:
    """Mean of each band, and the lower triangle that turns independent noise into noise of the class's covariance."""
    if number == WATER:
        return np.array(WATER_MEAN, dtype="float64"), np.diag(np.array(WATER_MEAN) * 0.05)
    figures = statistics()["clear"][season.measured][MEASURED[number]]
    factor = factor_per_band(season.factors.get(number, (1, 1, 1, 1)))
    covariance = np.array(figures["covariance"]) * np.outer(factor, factor)
    lower = np.linalg.cholesky(covariance + np.eye(len(BANDS)))
    return np.array(figures["mean"]) * factor, lower.astype("float64")


@functools.cache
def place_texture(shape: tuple[int, int], site: str, seed: int) -> Field:
    """Noise per band, variance 1, that stays between the dates of a site: partly smooth, partly fine-grained."""
    return two_grains((len(BANDS), *shape), (seed, site, "place"))


def two_grains(size: tuple[int, ...], words: tuple[int | str, ...]) -> Field:
    """Noise of variance 1 with patches of about 30 m and grains of a pixel."""
    return 0.8 * correlated(generator(*words), size, 3) + 0.6 * correlated(generator(*words, "grain"), size, 0)


def texture(stands: NDArray[np.int32], view: View) -> Field:
    """Noise per band, variance 1: partly the stand's, partly the place's, partly the date's."""
    shape = stands.shape
    date = two_grains((len(BANDS), *shape), (view.seed, view.site, view.date))
    inside = 0.8 * place_texture(shape, view.site, view.seed) + 0.6 * date
    size = (len(BANDS), int(stands.max()) + 1)
    lasting = generator(view.seed, "stand").standard_normal(size)
    passing = generator(view.seed, "stand", view.date).standard_normal(size)
    of_stand = (0.9 * lasting + 0.44 * passing)[:, stands]
    return np.asarray(STAND_SHARE**0.5 * of_stand + (1 - STAND_SHARE) ** 0.5 * inside)


def shown_classes(classes: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    """What stands on each pixel: pure stands have groups of the other kind, mixed ones of both."""
    groups = correlated(generator(view.seed, view.site, "groups"), classes.shape, 2)
    shown = classes.copy()
    shown[(classes == BROADLEAF) & (groups < -OTHER_KIND)] = CONIFER
    shown[(classes == CONIFER) & (groups > OTHER_KIND)] = BROADLEAF
    shown[(classes == MIXED) & (groups < -GROUP)] = CONIFER
    shown[(classes == MIXED) & (groups > GROUP)] = BROADLEAF
    return shown


def paint(classes: NDArray[np.uint8], stands: NDArray[np.int32], view: View) -> Field:
    """The land without clouds.

    Args:
        classes: class of each pixel.
        stands: stand of each pixel; stands differ by age, soil and use.
        view: of which place, when.

    Returns:
        Reflectance x 10000, bands first.
    """
    season = SEASONS[view.season]
    shown = shown_classes(classes, view)
    noise = texture(stands, view)
    image = np.zeros((len(BANDS), *classes.shape))
    for number in sorted(set(np.unique(shown).tolist())):
        mean, lower = class_figures(season, number)
        here = shown == number
        image[:, here] = mean[:, None] + lower @ noise[:, here]
    slope = 1 + SLOPE * correlated(generator(view.seed, view.site, "slope"), classes.shape, 14)
    image[4:] = np.where(classes != WATER, image[4:] * slope, image[4:])
    return np.maximum(image, 1)


def blur_as_instrument(image: Field) -> Field:
    """Mix neighbours a little, and bring the 20 m and 60 m bands to their own coarser pixels."""
    image = 0.6 * image + 0.4 * smooth(image, 1)
    height, width = image.shape[1:]
    for index, band in enumerate(BANDS):
        block = BLOCK.get(band, 1)
        if block > 1:
            rows, columns = -height % block, -width % block
            padded = np.pad(image[index], ((0, rows), (0, columns)), mode="edge")
            coarse = padded.reshape(padded.shape[0] // block, block, padded.shape[1] // block, block).mean(axis=(1, 3))
            image[index] = coarse.repeat(block, axis=0).repeat(block, axis=1)[:height, :width]
    return image


def cover(image: Field, share: float, view: View) -> tuple[Field, NDArray[np.bool_]]:
    """Put clouds and their shadows over about `share` of the land (1: all of it).

    Returns:
        The image, and where cloud or shadow is.
    """
    if share <= 0:
        return image, np.zeros(image.shape[1:], dtype=bool)
    shape = image.shape[1:]
    above = (shape[0] + SHADOW[0], shape[1] + SHADOW[1])
    field = correlated(generator(view.seed, view.site, view.date, "cloud"), above, 18)
    edge = np.quantile(field, 1 - share) if share < 1 else field.min() - 1.5
    sky = np.clip((field - edge) / 0.8, 0, 1)
    density = sky[SHADOW[0] :, : shape[1]]
    shadow = sky[: shape[0], SHADOW[1] :] * (share < 1)
    figures = statistics()["cloud"]["20150820"]
    lower = np.linalg.cholesky(np.array(figures["covariance"]) + np.eye(len(BANDS)))
    noise = correlated(generator(view.seed, view.site, view.date, "cloud texture"), (len(BANDS), *shape), 5)
    cloud = np.array(figures["mean"])[:, None, None] + np.einsum("ij,jkl->ikl", lower, noise)
    image = image * (1 - 0.45 * shadow)
    return image * (1 - density) + cloud * density, (density > 0.25) | (shadow > 0.35)
