"""The surface that a sensor beside the camera measured, as the camera sees it.

Neighbours of one surface are drawn as triangles into the camera's picture, the nearest first: what
stands before hides what lies behind. Nothing is said of a pixel where the sensor measured nothing;
where the camera looks through space that the sensor could not see, for surface may stand there; at
the back of what it measured; and beside the edge of nearer surface, for that ends somewhere between
two of the sensor's pixels: no colour bleeds onto what lies behind.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.brought_kernels import NOTHING, draw_surface, seen_surface
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap, View
from voxgate.runtime.transforms import Transform, invert

STEEPEST = 6.0  # of a surface, depth over width: beyond 80 degrees a sensor has no return
EDGE_MM = 4.0  # a larger step in depth is another surface


Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int32]


def bring(
    depth_mm: DepthMap, camera_from_sensor: Transform, rays: Rays, crew: Crew
) -> tuple[DepthMap, Numbers]:
    """A sensor's depth (h, w) float32, mm, NaN without a return, into the camera of `rays`.

    Returns z in the camera, (H, W) float32, NaN where nothing is known, and the number of the
    sensor's pixel that is seen there, (H, W) int32, or -1.
    """
    of_sensor = rays.shape
    shape = rays.x.shape
    drawn = crew.scratch("brought.drawn", shape, np.int64)
    depth = np.require(depth_mm, np.float32, ["C", "W"])
    seen, shown = np.empty(shape, np.float32), np.empty(shape, np.int32)
    t, lens = tuple(camera_from_sensor[:3].reshape(-1).tolist()), tuple(rays.lens.tolist())
    step = np.float32(STEEPEST / of_sensor.lens[0])

    def draw(index: int) -> None:
        rows = np.array(crew.span(index, shape[0]))
        drawn[slice(*rows)] = NOTHING
        draw_surface(rows, depth, of_sensor.x, of_sensor.y, t, lens, step, drawn)

    def see(index: int) -> None:
        rows = np.array(crew.span(index, shape[0]))
        seen_surface(rows, drawn, np.float32(EDGE_MM), seen, shown)

    crew.run(draw)
    crew.run(see)  # after all rows are drawn: it looks beyond its own
    return seen, shown


def with_depth(view: View, rays: Rays, crew: Crew) -> View:
    """The view with the sensor's surface as its camera sees it; itself where depth is aligned."""
    if view.sensed is None or view.sensed.depth_mm is None:
        return view
    camera_from_sensor = invert(view.part_from_camera) @ view.sensed.part_from_camera
    depth_mm, at = bring(view.sensed.depth_mm, camera_from_sensor, rays, crew)
    return replace(view, depth_mm=depth_mm, sensed_at=at)


def as_seen(plane: Plane, view: View) -> Plane:
    """(H, W) what the sensor's pixels (h, w) say, where the camera sees them; 0 elsewhere."""
    assert view.sensed_at is not None  # `with_depth` has brought it
    found = plane.reshape(-1)[np.maximum(view.sensed_at, 0)]
    found[view.sensed_at < 0] = 0
    return found


def warm_up(crew: Crew) -> None:
    """Compile (or load) the kernels of this file."""
    x, y = np.meshgrid(*[np.linspace(-0.1, 0.1, 8, dtype=np.float32)] * 2)
    rays = Rays(x, y, np.array([40.0, 40.0, 4.0, 4.0, 0, 0, 0, 0, 0]))
    bring(np.ones((8, 8), np.float32), np.eye(4), rays, crew)
