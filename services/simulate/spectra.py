"""Band values of a scene: class figures of a real patch, seasons, texture, clouds; reflectance x 10000 as float.

What is measured (statistics.json) and what is assumed (the factors below) is kept apart. `simulate.py` calls `paint`.
"""

from __future__ import annotations

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

MEASURED = {BROADLEAF: "forest_bright", CONIFER: "forest_dark", GRASSLAND: "grassland", CROPLAND: "grassland", BUILT_UP: "built_up"}
WATER_MEAN = (1090, 820, 590, 360, 310, 260, 250, 210, 190, 90, 9, 90, 55)
"""Assumed: the patch has no water."""

VISIBLE, EDGE, NIR, SWIR = slice(1, 4), slice(4, 5), slice(5, 10), slice(11, 13)


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
            BROADLEAF: (1.06, 1.12, 0.74, 1.02),
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
            BROADLEAF: (1.14, 1.18, 0.82, 1.08),
            CONIFER: (1.0, 0.98, 0.92, 0.94),
            GRASSLAND: (1.02, 1.02, 0.88, 0.98),
            CROPLAND: (1.3, 1.26, 0.68, 1.28),
        },
    ),
}


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
    return np.array(figures["mean"]) * factor, np.linalg.cholesky(covariance + np.diag(np.full(len(BANDS), 1.0)))


def texture(shape: tuple[int, int], scene: str, seed: int) -> Field:
    """Noise per band, variance 1: partly the place's own (stays between dates), partly the date's; partly fine-grained."""
    size = (len(BANDS), *shape)
    place = 0.8 * correlated(generator(seed, "place"), size, 3) + 0.6 * correlated(generator(seed, "grain"), size, 0)
    date = 0.8 * correlated(generator(seed, scene), size, 3) + 0.6 * correlated(generator(seed, scene, "grain"), size, 0)
    return 0.8 * place + 0.6 * date


def species(classes: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Which trees stand on each pixel: mixed stands are groups of both kinds, pure ones have a few of the other."""
    groups = correlated(generator(seed, "groups"), classes.shape, 2)
    limit = np.select([classes == BROADLEAF, classes == CONIFER, classes == MIXED], [-1.5, 1.5, 0.0], np.nan)
    trees = np.where(groups > limit, BROADLEAF, CONIFER)
    return np.where(np.isnan(limit), classes, trees).astype("uint8")


def paint(classes: NDArray[np.uint8], stands: NDArray[np.int32], season_name: str, scene: str, seed: int) -> Field:
    """The land without clouds.

    Args:
        classes: class of each pixel.
        stands: stand of each pixel; stands differ in brightness by their age and soil.
        season_name: a key of `SEASONS`.
        scene: names the scene, so that its noise differs from that of others.
        seed: of the archive.

    Returns:
        Reflectance x 10000, bands first.
    """
    season = SEASONS[season_name]
    shown = species(classes, seed)
    noise = texture(classes.shape, scene, seed)
    image = np.zeros((len(BANDS), *classes.shape))
    for number in sorted(set(np.unique(shown).tolist())):
        mean, lower = class_figures(season, number)
        here = shown == number
        image[:, here] = mean[:, None] + lower @ noise[:, here]
    brightness = 1 + 0.05 * generator(seed, "stands").standard_normal(int(stands.max()) + 1)[stands]
    slope = 1 + 0.06 * correlated(generator(seed, "slope"), classes.shape, 14)
    land = classes != WATER
    image[4:] = np.where(land, image[4:] * brightness * slope, image[4:])
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


def cover(image: Field, share: float, scene: str, seed: int) -> tuple[Field, NDArray[np.bool_]]:
    """Put clouds and their shadows over about `share` of the land (1: all of it).

    Returns:
        The image, and where cloud or shadow is.
    """
    if share <= 0:
        return image, np.zeros(image.shape[1:], dtype=bool)
    shape = image.shape[1:]
    field = correlated(generator(seed, scene, "cloud"), shape, 18)
    edge = np.quantile(field, 1 - share) if share < 1 else field.min() - 1.5
    density = np.clip((field - edge) / 0.8, 0, 1)
    figures = statistics()["cloud"]["20150820"]
    lower = np.linalg.cholesky(np.array(figures["covariance"]) + np.eye(len(BANDS)))
    noise = correlated(generator(seed, scene, "cloud texture"), (len(BANDS), *shape), 5)
    cloud = np.array(figures["mean"])[:, None, None] + np.einsum("ij,jkl->ikl", lower, noise)
    shadow = np.roll(density, (9, -7), axis=(0, 1)) * (share < 1)
    image = image * (1 - 0.45 * shadow)
    return image * (1 - density) + cloud * density, (density > 0.25) | (shadow > 0.35)
