"""Polygons with the value that makes their class: what every source gives, and how they come to the scene's ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from ground import Ground, same_crs
from pyproj import CRS, Transformer

LONGEST_EDGE_M = 1000.0  # a longer one gets points between before it is reprojected: it is a curve in the other CRS
DEGREE_M = 111_320.0
POLYGON, COLLECTION, MULTI_POLYGON = 3, 7, 6


@dataclass(frozen=True)
class Features:
    """N features as a source has them.

    Attributes:
        crs: of the geometries, whose x (east) comes first.
        geometries: N shapely objects of any type.
        values: N values of the attribute.
        ids: N identifiers, unique.
    """

    crs: CRS
    geometries: np.ndarray
    values: list[object]
    ids: list[str]

    def unique(self) -> Features:
        """Without those whose id has come before (neighbouring boxes and pages give some twice)."""
        first = {identifier: index for index, identifier in reversed(list(enumerate(self.ids)))}
        keep = sorted(first.values())
        return Features(
            self.crs, self.geometries[keep], [self.values[index] for index in keep], [self.ids[index] for index in keep]
        )


def geometry_array(geometries: list[shapely.Geometry | None]) -> np.ndarray:
    """A list as an array of objects, also when it is empty."""
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return array


def on_ground(features: Features, ground: Ground) -> np.ndarray:
    """The N geometries in the scene's CRS, each valid, polygonal, and touching the scene; else None."""
    geometries = shapely.force_2d(features.geometries)
    if not same_crs(features.crs, ground.crs):
        geometries = reproject(geometries, features.crs, ground.crs)
    shapely.prepare(ground.outline)
    result = [polygonal(one) for one in geometries]
    return geometry_array([one if one is not None and ground.outline.intersects(one) else None for one in result])


def reproject(geometries: np.ndarray, source: CRS, target: CRS) -> np.ndarray:
    """Geometries in another CRS, their long edges bent as the other CRS bends them."""
    unit = DEGREE_M if source.is_geographic else source.axis_info[0].unit_conversion_factor
    transformer = Transformer.from_crs(source, target, always_xy=True)

    def move(points: np.ndarray) -> np.ndarray:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    return shapely.transform(shapely.segmentize(geometries, LONGEST_EDGE_M / unit), move)


def polygonal(geometry: shapely.Geometry | None) -> shapely.Geometry | None:
    """The valid polygon or multipolygon of a geometry; None: it has no area. A valid one keeps its numbers."""
    if geometry is None or geometry.is_empty or not np.isfinite(geometry.bounds).all():
        return None
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    if shapely.get_type_id(valid) == COLLECTION:
        parts = [part for part in shapely.get_parts(valid) if shapely.get_type_id(part) in {POLYGON, MULTI_POLYGON}]
        valid = shapely.union_all(parts)
    has_area = shapely.get_type_id(valid) in {POLYGON, MULTI_POLYGON} and valid.area > 0
    return valid if has_area else None
