"""Make an archive of simulated Sentinel-2 scenes: no satellite, no network, the same bytes every time, in seconds.

Called by `swath exec simulate --out DIR`. The scenes have the form of real ones (13 bands, L1C scaling, two UTM zones
side by side, seasons, clouds with masks, a no-data edge, the +1000 offset of newer baselines) and their traps: the
overcast one has a cloud mask that is all zero. They are named `SIM_...`, and each file says `SIMULATED=yes`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.errors
import rasterio.warp
from affine import Affine
from landscape import CLASSES, CRS, Landscape, make_landscape, truth_features
from noise import Field
from numpy.typing import NDArray
from spectra import BANDS, View, blur_as_instrument, cover, paint

ATTRIBUTION = "Simulated. Contains modified Copernicus Sentinel data [2015] (band statistics)"
NO_DATA_MASK = 255
MARGIN_M = 400.0

README = """# Simulated scenes

Nothing here was seen by a satellite. `swath exec simulate` drew the pixels from class-wise band statistics of a real
Sentinel-2 patch in Slovenia over a made-up landscape. Contains modified Copernicus Sentinel data [2015]; the classes of
that patch are of the land-use register (RABA) of the Slovenian Ministry of Agriculture, Forestry and Food. Land cover,
forest types, seasons and clouds are assumptions. Figures reached on these scenes say that the workflow works, and
nothing about the real world.
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A square on the ground.

    Attributes:
        corner: east and north of the upper left corner, in metres of `crs`, on the 10 m grid.
    """

    name: str
    crs: str
    corner: tuple[float, float]

    def transform(self) -> Affine:
        """From pixels to metres."""
        return Affine(10, 0, self.corner[0], 0, -10, self.corner[1])


@dataclass(frozen=True, slots=True)
class Scene:
    """What to draw.

    Attributes:
        clouds: share of the land under clouds, 0 to 1.
        blind_mask: the cloud mask misses everything, as some real ones do.
        edge: the swath ends inside the scene.
        baseline: processing baseline; from 04.00 on the numbers carry +1000.
    """

    site: Site
    acquired: str
    season: str
    clouds: float = 0.0
    blind_mask: bool = False
    edge: bool = False
    baseline: str = "02.09"

    @property
    def id(self) -> str:
        """`SIM_S2_L1C_<time>_<site>`."""
        return f"SIM_S2_L1C_{self.acquired}_{self.site.name}"

    @property
    def offset(self) -> int:
        """What the producer says must be added to the numbers."""
        return -1000 if self.baseline >= "04.00" else 0


WEST = Site("T32UQU", "EPSG:32632", (719960.0, 5311200.0))
EAST = Site("T33UUP", "EPSG:32633", (277200.0, 5311200.0))
SCENES = (
    Scene(WEST, "20210502T101031", "spring"),
    Scene(WEST, "20210714T101031", "summer", clouds=0.1),
    Scene(WEST, "20210912T101031", "autumn", edge=True),
    Scene(EAST, "20210803T101031", "summer", clouds=1.0, blind_mask=True),
    Scene(EAST, "20210917T101031", "autumn", clouds=0.06),
    Scene(EAST, "20220828T101031", "late_summer", baseline="04.00"),
)


def bounds_of(sites: tuple[Site, ...], size: int) -> tuple[float, float, float, float]:
    """The box in the landscape's system that holds all sites, with a margin, on its grid."""
    boxes = [
        rasterio.warp.transform_bounds(
            site.crs, CRS, site.corner[0], site.corner[1] - size * 10, site.corner[0] + size * 10, site.corner[1]
        )
        for site in sites
    ]
    west, south = (10 * round((min(box[index] for box in boxes) - MARGIN_M) / 10) for index in (0, 1))
    east, north = (10 * round((max(box[index] for box in boxes) + MARGIN_M) / 10) for index in (2, 3))
    return west, south, east, north


def stands_of(site: Site, size: int, landscape: Landscape) -> NDArray[np.int32]:
    """The stand under each pixel of a site."""
    rows, columns = np.mgrid[0:size, 0:size] + 0.5
    east, north = site.transform() @ (columns.ravel(), rows.ravel())
    x, y = rasterio.warp.transform(site.crs, CRS, east, north)
    return landscape.stands_at(np.array(x), np.array(y)).reshape(size, size)


def outside(size: int) -> NDArray[np.bool_]:
    """The corner that a slanted swath edge leaves without data."""
    rows, columns = np.mgrid[0:size, 0:size]
    return np.asarray(columns + 0.22 * rows > 0.98 * size)


def draw(scene: Scene, size: int, landscape: Landscape, seed: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """The numbers of a scene as its producer would write them, and its cloud mask."""
    stands = stands_of(scene.site, size, landscape)
    view = View(scene.site.name, scene.acquired, scene.season, seed)
    image: Field = paint(landscape.classes[stands], stands, view)
    image, covered = cover(image, scene.clouds, view)
    numbers = np.clip(np.round(blur_as_instrument(image)), 1, 20000) - scene.offset
    mask = np.zeros((size, size), dtype="uint8") if scene.blind_mask else covered.astype("uint8")
    if scene.edge:
        numbers[:, outside(size)] = 0
        mask[outside(size)] = NO_DATA_MASK
    return numbers.astype("uint16"), mask


def write_raster(
    path: Path, values: NDArray[np.uint16] | NDArray[np.uint8], site: Site, nodata: int, tags: dict[str, str]
) -> None:
    """Write a GeoTIFF under a temporary name and rename it."""
    values = values if values.ndim == 3 else values[None]
    names = BANDS if values.shape[0] == len(BANDS) else ("clouds",)
    part = path.with_name(path.name + ".part")
    with rasterio.open(
        part, "w", driver="GTiff", dtype=values.dtype, count=values.shape[0], height=values.shape[1],
        width=values.shape[2], crs=site.crs, transform=site.transform(), nodata=nodata, tiled=True, blockxsize=256,
        blockysize=256, compress="deflate", zlevel=1, predictor=2, interleave="band",
    ) as dataset:  # fmt: skip
        dataset.write(values)
        dataset.update_tags(**tags)
        for index, name in enumerate(names, start=1):
            dataset.set_band_description(index, name)
    part.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name and rename it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def write_scene(folder: Path, scene: Scene, size: int, landscape: Landscape, seed: int) -> None:
    """Draw one scene and write its two files."""
    numbers, mask = draw(scene, size, landscape, seed)
    valid = mask != NO_DATA_MASK
    tags = {
        "SIMULATED": "yes",
        "LEVEL": "L1C",
        "ACQUISITION": scene.acquired,
        "PROCESSING_BASELINE": scene.baseline,
        "RADIO_ADD_OFFSET": str(scene.offset),
        "CLOUD_FRACTION": f"{float((mask == 1).sum() / valid.sum()):.4f}",
        "ATTRIBUTION": ATTRIBUTION,
    }
    write_raster(folder / f"{scene.id}.tif", numbers, scene.site, 0, tags)
    write_raster(folder / f"{scene.id}.clouds.tif", mask, scene.site, NO_DATA_MASK, {"SIMULATED": "yes"})


def write_archive(out: Path, size: int, seed: int) -> None:
    """Make the whole archive."""
    for part in ("scenes", "truth"):
        (out / part).mkdir(parents=True, exist_ok=True)
    landscape = make_landscape(bounds_of((WEST, EAST), size), seed)
    made = {f"{scene.id}{suffix}" for scene in SCENES for suffix in (".tif", ".clouds.tif")}
    for old in sorted((out / "scenes").glob("SIM_*")):
        if old.name not in made:
            old.unlink()
    for scene in SCENES:
        write_scene(out / "scenes", scene, size, landscape, seed)
    collection = {"type": "FeatureCollection", "name": "landcover", "features": truth_features(landscape)}
    write_text(out / "truth" / "landcover.geojson", json.dumps(collection, separators=(",", ":")) + "\n")
    table = [{"id": entry.number, "name": entry.name, "colour": entry.colour} for entry in CLASSES]
    write_text(out / "truth" / "classes.json", json.dumps(table, indent=2) + "\n")
    write_text(out / "README.md", README)


def main() -> int:
    """Read the arguments and make the archive."""
    parser = argparse.ArgumentParser(description="Make an archive of simulated Sentinel-2 scenes.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--size", type=int, default=320, help="edge of each scene in pixels of 10 m")
    parser.add_argument("--seed", type=int, default=1, help="another number gives another landscape")
    arguments = parser.parse_args()
    if not 64 <= arguments.size <= 2048 or arguments.seed < 0:
        print("simulate: --size must be between 64 and 2048, and --seed not negative", file=sys.stderr)
        return 1
    try:
        write_archive(arguments.out, arguments.size, arguments.seed)
    except (OSError, rasterio.errors.RasterioError) as error:
        print(f"simulate: {arguments.out}: cannot be written: {error}", file=sys.stderr)
        return 1
    print(f"simulate: {len(SCENES)} simulated scenes of {arguments.size} x {arguments.size} pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
