"""Score and fuse on the GPU: upload, engine, undistort, lift, fuse on one stream, one wait a part.

The scores never leave the device's memory. What a view costs the CPU is copying its pictures into
pinned memory; `finish` waits, and fetches the occupied blocks only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.timings import Stopwatch, Work
from voxgate.runtime.engines.gpu_memory import check_room
from voxgate.runtime.engines.tensorrt_engine import DeviceEngine
from voxgate.runtime.fusion.device_volume import DeviceVolume
from voxgate.runtime.fusion.host import NOT_FINITE, Described, Fused, Judge
from voxgate.runtime.fusion.lost_points import Plane, Points
from voxgate.runtime.fusion.proof import hold_against_cpu
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.gpu.device import Kernel
from voxgate.runtime.gpu.launch import (
    DROPPED,
    INVALID,
    KERNELS,
    LIFTED,
    PEAK,
    STRAY,
    TABLE,
    unordered,
)
from voxgate.runtime.gpu.launch import NOT_FINITE as NOT_FINITE_COUNT
from voxgate.runtime.gpu.pinned_ring import PinnedRing, aligned
from voxgate.runtime.nouns import DepthMap, View, ViewReport
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.lift import LiftCounts, voxel_from
from voxgate.runtime.volume.volume import Volume

ROWS_PER_VIEW = 2  # launches that count: pixels, and points that vanished or were lost
PLANES = 15  # of four bytes a pixel: what is uploaded, made up, vanished or lost
STAGING_MB = 128  # pinned; twelve views of 800 x 600 with geometry take 60


@dataclass(frozen=True, slots=True, eq=False)
class _Added:
    planned: int
    view: View
    points: int


class DeviceFusion:
    """Fuses on the engine's own GPU and stream; the memory lives as long as the engine's device.

    views: the most per part. Raises EngineError when memory or kernels are refused.
    """

    def __init__(
        self,
        engine: DeviceEngine,
        volume: Volume,
        rays: Rays,
        geometry: bool,
        views: int,
        crew: Crew,
        watch: Stopwatch,
    ) -> None:
        self._engine = engine
        self._device = device = engine.device
        self._volume = volume
        self._geometry = geometry
        self._crew = crew
        self._watch = watch
        self._pixels = rays.x.size
        needed = DeviceVolume.bytes_of(volume) + PLANES * 4 * self._pixels
        check_room(device, needed, "the volume", "export with larger voxels (--voxel-mm)")
        self._kernels: dict[str, Kernel] = device.kernels(engine.kernels, KERNELS)
        self._memory = DeviceVolume(device, volume, ROWS_PER_VIEW * views)
        plane = 4 * self._pixels
        own = ["depth_mm", "geometry", "ray_x", "ray_y"]
        self._plane = {name: device.allocate(plane) for name in own}
        self._made_up = device.allocate(plane)
        # every golden pixel may have vanished, and every one may have been lost
        self._points_mm = device.allocate(2 * 3 * plane)
        self._point_score = device.allocate(2 * plane)
        self._point_pixel = device.allocate(2 * plane)
        self._staging = PinnedRing(device, self._staging_bytes(views))
        self._upload_rays(rays)
        self._added: list[_Added] = []
        self._clean = False

    @classmethod
    def proven(
        cls,
        engine: DeviceEngine,
        volume: Volume,
        rays: Rays,
        geometry: bool,
        views: int,
        crew: Crew,
        watch: Stopwatch,
    ) -> DeviceFusion:
        """Held against the CPU's fusion first. Raises EngineError when one bit differs."""
        fusion = cls(engine, volume, rays, geometry, views, crew, watch)
        hold_against_cpu(fusion, volume, rays, crew)
        return fusion

    @property
    def staging(self) -> PinnedRing:
        """The ring that uploads go through."""
        return self._staging

    def start(self) -> None:
        self._added = []
        self._memory.clear()
        self._clean = True

    def add(self, described: Described, judge: Judge) -> Described:
        assert described.inputs is not None  # detectors of whole parts are fused on the host
        assert described.view.depth_mm is not None
        with self._watch.time(Work.ENGINE):
            self._engine.enqueue(described.inputs, self._staging)
        registered = judge(self._crew)  # while the GPU computes
        with self._watch.time(Work.FUSE):
            score = self._engine.address_of("score")
            depth = self._engine.address_of("depth_mm")  # 0 is no return there, NaN in ours
            points = None if registered is None else Points.of(registered, self._geometry)
            geometry = registered.geometry if registered is not None and self._geometry else None
            self.upload(None if depth else described.view.depth_mm, geometry, points)
            count = 0 if points is None else len(points.pixel)
            self.fuse(
                len(self._added),
                described.planned,
                described.view.part_from_camera,
                score or 0,
                depth,
                geometry is not None,
                count,
            )
        self._added.append(_Added(described.planned, described.view, count))
        return replace(described, registered=registered)

    def finish(self) -> Fused:
        if not self._clean:
            self.start()
        self._clean = False
        with self._watch.time(Work.FUSE):
            return self._told(self.collect(self._volume))

    def close(self) -> None:
        self._staging.forget()  # events must not outlive the context they were made in

    def fuse_made_up(
        self,
        number: int,
        score: Plane,
        geometry: Plane | None,
        depth_mm: DepthMap,
        part_from_camera: Transform,
        points: Points,
    ) -> None:
        """Enqueue a view whose scores come from the host, (h, w): to compare with the CPU."""
        self._staging.upload(self._made_up, score)
        self.upload(depth_mm, geometry, points)
        count, also_shape = len(points.pixel), geometry is not None
        self.fuse(number, number, part_from_camera, self._made_up, None, also_shape, count)

    def collect(self, volume: Volume) -> npt.NDArray[np.int32]:
        """Wait, and put everything into an empty volume; returns a row of counts per launch."""
        rows = self._memory.collect(volume, self._kernels["pack_blocks"])
        self._staging.forget()
        return rows

    # --- one method per step ---------------------------------------------------------------------

    def upload(
        self, depth_mm: DepthMap | None, geometry: Plane | None, points: Points | None
    ) -> None:
        """Enqueue what the kernels need besides the scores."""
        if depth_mm is not None:
            self._staging.upload(self._plane["depth_mm"], depth_mm)
        if geometry is not None:
            self._staging.upload(self._plane["geometry"], geometry)
        if points is not None:
            self._staging.upload(self._points_mm, points.at_mm)
            self._staging.upload(self._point_score, points.score)
            self._staging.upload(self._point_pixel, points.pixel)
        self._staging.mark()

    def fuse(
        self,
        number: int,
        planned: int,
        part_from_camera: Transform,
        score: int,
        depth: int | None,
        geometry: bool,
        points: int,
    ) -> None:
        """Enqueue the kernels for the part's view `number`; `score` and `depth` are addresses."""
        row = ROWS_PER_VIEW * number
        launch = self._memory.launch(row)
        launch["view"] = planned
        launch["score_map"] = score
        launch["geometry"] = self._plane["geometry"] if geometry else 0
        launch["depth_mm"] = depth or self._plane["depth_mm"]
        launch["ray_x"], launch["ray_y"] = self._plane["ray_x"], self._plane["ray_y"]
        launch["n"] = self._pixels
        launch["voxel_from"] = voxel_from(self._memory.grid, part_from_camera).reshape(-1)
        self._run(launch, "pixels")
        if points:
            launch = launch.copy()
            launch["counts"] = self._memory.launch(row + 1)["counts"]
            launch["points_mm"] = self._points_mm
            launch["point_score"] = self._point_score
            launch["point_pixel"] = self._point_pixel
            launch["n"] = points
            launch["voxel_from"] = voxel_from(self._memory.grid, np.eye(4)).reshape(-1)
            self._run(launch, "points")

    def _run(self, launch: npt.NDArray[np.void], what: str) -> None:
        arguments, threads = launch.view(np.uint8), int(launch["n"][0])
        if self._memory.sparse:
            self._kernels[f"claim_{what}"](arguments, threads)
        self._kernels[f"fuse_{what}"](arguments, threads)

    def _upload_rays(self, rays: Rays) -> None:
        """The undistorted ray of every pixel; once, for the camera does not change."""
        for name, plane in (("ray_x", rays.x), ("ray_y", rays.y)):
            self._staging.upload(self._plane[name], np.ascontiguousarray(plane))
        self._staging.mark()
        self._device.synchronize()
        self._staging.forget()

    def _staging_bytes(self, views: int) -> int:
        """Room for every view of a part, so that no view waits for the one before it."""
        plane = aligned(4 * self._pixels)
        inputs = sum(aligned(spec.nbytes) for spec in self._engine.inputs)
        most = 12 * plane  # depth, geometry; points at their most take ten
        usual = views * (3 * plane + inputs)  # a fifth of the pixels vanished or lost takes a plane
        return max(most + inputs, min(usual, STAGING_MB << 20))

    def _told(self, rows: npt.NDArray[np.int32]) -> Fused:
        reports, counts, failed = [], [], []
        for number, added in enumerate(self._added):
            pixels, points = rows[ROWS_PER_VIEW * number : ROWS_PER_VIEW * (number + 1)]
            counts.append(_counts(pixels, self._pixels))
            counts.append(_counts(points, added.points))
            if pixels[NOT_FINITE_COUNT]:
                backend = getattr(self._engine, "backend", "the GPU")
                failed.append((added.planned, NOT_FINITE.format(backend=backend)))
                continue
            peak = float(unordered(pixels[PEAK : PEAK + 1])[0])
            view = added.view
            reports.append(ViewReport(added.planned, view.frame_id, view.uncertainty_mm, peak))
        return Fused(tuple(reports), tuple(counts), tuple(failed))


def _counts(row: npt.NDArray[np.int32], of: int) -> LiftCounts:
    lifted, table, invalid, dropped = (int(row[at]) for at in (LIFTED, TABLE, INVALID, DROPPED))
    return LiftCounts(
        lifted=lifted,
        outside=of - lifted - table - invalid - dropped,
        invalid=invalid,
        table=table,
        dropped=dropped,
        stray=int(row[STRAY]),
    )
