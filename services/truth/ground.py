"""Where the scene lies: its outline in its own CRS, and the boxes that hold it in another one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

EDGE_POINTS = 21  # of each edge, when a box goes to another CRS
MARGIN = 0.01  # of the box's size: edges are curves in another CRS

Box = tuple[float, float, float, float]  # west, south, east, north


@dataclass(frozen=True)
class Ground:
    """The scene's CRS and its outline in it (four corners, also of a turned grid)."""

    crs: CRS
    outline: shapely.Polygon

    def boxes_in(self, crs: CRS) -> list[Box]:
        """The boxes of the scene in `crs` (x first), with a margin; two where it lies across the antimeridian."""
        if same_crs(self.crs, crs):
            return [self.outline.bounds]
        transformer = Transformer.from_crs(self.crs, crs, always_xy=True)
        west, south, east, north = transformer.transform_bounds(*self.outline.bounds, densify_pts=EDGE_POINTS)
        width = east - west + (360 if west > east and crs.is_geographic else 0)
        dx, dy = MARGIN * width, MARGIN * (north - south)
        if west > east:
            return [(west - dx, south - dy, 180.0, north + dy), (-180.0, south - dy, east + dx, north + dy)]
        return [(west - dx, south - dy, east + dx, north + dy)]


def read_ground(path: Path) -> Ground:
    """Read an extent document."""
    try:
        extent = json.loads(path.read_text(encoding="utf-8"))
        a, b, c, d, e, f = extent["transform"]
        pixels = [(0, 0), (extent["width"], 0), (extent["width"], extent["height"]), (0, extent["height"])]
        crs = CRS.from_user_input(extent["crs"])
    except (ValueError, KeyError, TypeError, CRSError) as error:
        raise SystemExit(f"{path} is no extent document: {error!r}") from error
    corners = [(a * column + b * row + c, d * column + e * row + f) for column, row in pixels]
    return Ground(crs, shapely.Polygon(corners))


def same_crs(one: CRS, other: CRS) -> bool:
    """Whether numbers of one CRS, x first, are numbers of the other."""
    if one.equals(other, ignore_axis_order=True):
        return True
    code = one.to_authority(min_confidence=100)
    return code is not None and code == other.to_authority(min_confidence=100)
