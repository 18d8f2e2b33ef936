"""Lift and fuse, align, register, segment and cover one 800 x 600 view; memory of a fine grid."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.places import BRACKET
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.align import align
from voxgate.runtime.comparison.expected import ExpectedView, expect
from voxgate.runtime.comparison.register import register
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.warm_up import warm_up
from voxgate.runtime.nouns import Alignment, View
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.coverage import Looked
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift, lift_points
from voxgate.runtime.volume.segment import segment
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

TABLE_Z_MM = 1.5
REPEATS = 60
# read: depth, two ray planes, score, voxel number; written: voxel number (float32 or int32 each)
BYTES_PER_PIXEL = 6 * 4
BYTES_PER_HIT = 2 * (4 + 2)  # score and hits, read and written
FINE_MM = 0.5
FINE_PART_MM = 500.0

FloatMap = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """The example bracket: bad scan against golden scan, at the planned poses."""

    rays: Rays
    grid: GridSpec
    views: list[View]
    golden: list[ExpectedView]
    base_from_part: Transform


def main() -> None:
    """Measure and print."""
    console = Console()
    bench = load()
    with Crew(1) as one, Crew(2) as two:
        warm_up(two)
        console.print(lift_table(bench, one, two))
        console.print(view_table(bench, one, two))
        console.print(fine_grid(one))


def load() -> Bench:
    """Read the example; the planned poses stand for the measured ones (0.05 mm apart)."""
    calibration = Calibration.load(BRACKET / "calibration.json")
    rays = Rays.from_calibration(calibration)
    grid = json.loads((BRACKET / "grid.json").read_text(encoding="utf-8"))
    views, golden = [], []
    for number, pose in enumerate(calibration.planned):
        views.append(_view("bad", number, pose, calibration.depth_unit_mm))
        was = _view("golden", number, pose, calibration.depth_unit_mm)
        golden.append(expect(was.image, _depth(was), rays, pose, TABLE_Z_MM))
    spec = GridSpec(tuple(grid["origin_mm"]), tuple(grid["shape"]), grid["voxel_mm"])
    return Bench(rays, spec, views, golden, calibration.mounting.part)


def lift_table(bench: Bench, one: Crew, two: Crew) -> Table:
    """One view into the dense and the sparse volume, against `np.maximum.at`, which must agree."""
    table = Table("lift + fuse, 800 x 600", "median (least) ms", "numpy ms", "ratio", "GB/s of")
    bandwidth = copy_bandwidth()
    for name, depth in (
        ("real depth", _depth(bench.views[6])),
        ("every pixel", _full_depth(bench)),
    ):
        score = np.random.default_rng(0).random(depth.shape, np.float32)
        pose = bench.views[6].part_from_camera
        grid = bench.grid if name == "real depth" else GridSpec((-400, -400, -400), (400,) * 3, 2.0)
        numpy_ms = _check_against_numpy(bench, grid, score, depth, pose, one)
        for sparse in (False, True):
            for crew in (one, two):
                volume = Volume(grid, sparse=sparse)
                times, hits = _lift_ms(bench, volume, score, depth, pose, crew)
                ms = float(np.median(times))
                moved = depth.size * BYTES_PER_PIXEL + hits * BYTES_PER_HIT
                table.add_row(
                    f"{name}, {'sparse' if sparse else 'dense'}, threads {crew.threads}",
                    f"{ms:.2f} ({times.min():.2f})",
                    f"{numpy_ms:.0f}",
                    f"{numpy_ms / ms:.0f} x",
                    f"{moved / ms / 1e6:.1f} of {bandwidth / 1e9:.1f}",
                )
    return table


def view_table(bench: Bench, one: Crew, two: Crew) -> Table:
    """What else is done per view and per part."""
    found = align(bench.views[:3], bench.golden[:3], bench.rays)
    assert isinstance(found, Alignment), found
    reference_from_part = found.reference_from_part
    table = Table("step", "1 thread, ms", "2 threads, ms")
    aligned = median_ms(lambda: align(bench.views[:3], bench.golden[:3], bench.rays), 15)
    table.add_row("align, first 3 views", f"{aligned:.1f}", "")

    def registered(crew: Crew) -> str:
        every = [
            median_ms(
                lambda v=v: register(  # type: ignore[misc]
                    bench.views[v], v, bench.golden, bench.rays, reference_from_part, crew
                ),
                7,
            )
            for v in range(len(bench.views))
        ]
        return f"{np.median(every):.1f}"

    table.add_row("register one view", registered(one), registered(two))
    volume = _fused(bench, reference_from_part, two)
    table.add_row("segment", f"{median_ms(lambda: segment(volume, bench.base_from_part)):.2f}", "")
    surface = Surface.of_views(volume.grid, volume.occupied().ijk, bench.golden, bench.rays)
    looked = Looked(surface, volume.grid, bench.rays)

    def look() -> None:
        looked.clear()
        looked.add(bench.views[6], reference_from_part)

    look_ms = median_ms(look)
    table.add_row("look at the surface, one view", f"{look_ms:.2f}", "")
    none = np.zeros((0, 3), np.float32)
    covered = median_ms(lambda: looked.coverage(volume, reference_from_part, none))
    table.add_row("coverage", f"{covered:.2f}", "")
    return table


def fine_grid(crew: Crew) -> str:
    """Memory of a 500 mm box, four walls and a lid, in voxels of half a millimetre."""
    cells = round(1.02 * FINE_PART_MM / FINE_MM)
    edge = -0.51 * FINE_PART_MM
    volume = Volume(GridSpec((edge, edge, -5.0), (cells,) * 3, FINE_MM))
    half = FINE_PART_MM / 2
    step = np.arange(-half, half, 0.4 * FINE_MM / 0.5, dtype=np.float32)
    u, v = (a.ravel() for a in np.meshgrid(step, step))
    faces = [(u, v, half * 1.98 + u * 0.01)]
    for side in (-half + 2, half - 2):
        faces += [(u, side + v * 0.005, v + half), (side + v * 0.005, u, v + half)]
    dropped = 0
    for number, face in enumerate(faces):
        points = np.stack(face, axis=1)
        counts = lift_points(volume, points, np.zeros(u.size, np.float32), number, crew)
        dropped += counts.dropped
    return (
        f"{FINE_MM} mm voxels on a box of {FINE_PART_MM:.0f} mm: {volume.used_bytes / 1e6:.0f} MB "
        f"sparse ({dropped} points dropped), {cells**3 * 6 / 1e6:.0f} MB dense"
    )


def median_ms(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median wall time of a call, after one that fills caches."""
    return float(np.median(times_ms(run, repeats)))


def times_ms(run: Callable[[], object], repeats: int) -> npt.NDArray[np.float64]:
    """Wall times of a call; beside other work on the machine the least is the honest one."""
    run()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - begun)
    return np.array(times) / 1e6


def copy_bandwidth() -> float:
    """Bytes per second one core moves when it copies 256 MB (read and write counted)."""
    source = np.ones(1 << 26, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / (median_ms(lambda: np.copyto(target, source), 7) / 1e3)


def obvious(
    maximum: FloatMap,
    hits: npt.NDArray[np.int64],
    bench: Bench,
    grid: GridSpec,
    score: FloatMap,
    depth: FloatMap,
    pose: Transform,
) -> None:
    """Lift and fuse as one writes it down in numpy, rays precomputed as well."""
    valid = depth > 0
    camera_points = np.stack([bench.rays.x * depth, bench.rays.y * depth, depth], -1)[valid]
    part_points = camera_points @ pose[:3, :3].T + pose[:3, 3]
    ijk = np.floor((part_points - grid.origin_mm) / grid.voxel_mm).astype(int)
    inside = ((ijk >= 0) & (ijk < grid.shape)).all(axis=1)
    where = tuple(ijk[inside].T)
    np.maximum.at(maximum, where, score[valid][inside])
    np.add.at(hits, where, 1)


def _check_against_numpy(
    bench: Bench, grid: GridSpec, score: FloatMap, depth: FloatMap, pose: Transform, crew: Crew
) -> float:
    """Milliseconds of numpy, after comparing volumes: float64 may move a point across a border."""
    maximum, hits = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.int64)
    obvious(maximum, hits, bench, grid, score, depth, pose)
    volume = Volume(grid)
    lift(volume, score, depth, bench.rays, pose, 0, crew)
    occupied = volume.occupied()
    same = hits[tuple(occupied.ijk.T)] == occupied.hits
    assert same.mean() > 0.99, f"{(~same).sum()} voxels differ from numpy's"
    return median_ms(lambda: obvious(maximum, hits, bench, grid, score, depth, pose), 7)


def _lift_ms(
    bench: Bench, volume: Volume, score: FloatMap, depth: FloatMap, pose: Transform, crew: Crew
) -> tuple[npt.NDArray[np.float64], int]:
    def run() -> int:
        volume.supports.clear()
        return lift(volume, score, depth, bench.rays, pose, 0, crew).lifted

    return times_ms(run, REPEATS), run()


def _fused(bench: Bench, reference_from_part: Transform, crew: Crew) -> Volume:
    volume = Volume(bench.grid, TABLE_Z_MM)
    for number, view in enumerate(bench.views):
        found = register(view, number, bench.golden, bench.rays, reference_from_part, crew)
        pose = view.part_from_camera
        lift(volume, found.geometry, _depth(view), bench.rays, pose, number, crew)
        lift_points(volume, found.vanished_mm, found.vanished_score, number, crew)
    return volume


def _view(scan: str, number: int, pose: Transform, depth_unit_mm: float) -> View:
    image = cv2.imread(str(BRACKET / scan / f"images/{number:02d}.jpg"), cv2.IMREAD_GRAYSCALE)
    counts = cv2.imread(str(BRACKET / scan / f"depth/{number:02d}.png"), cv2.IMREAD_UNCHANGED)
    if image is None or counts is None:
        raise FileNotFoundError(f"{BRACKET / scan}: view {number} cannot be read")
    depth = np.where(counts > 0, counts * depth_unit_mm, np.nan).astype(np.float32)
    return View(number, np.asarray(image, np.uint8), pose, 0.0, depth)


def _full_depth(bench: Bench) -> FloatMap:
    """A smooth surface that fills the picture: the most a view can cost."""
    return (600 + 30 * np.sin(bench.rays.x * 40) * np.cos(bench.rays.y * 40)).astype(np.float32)


def _depth(view: View) -> FloatMap:
    assert view.depth_mm is not None
    return view.depth_mm


if __name__ == "__main__":
    main()
