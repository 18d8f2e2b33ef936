"""The GPU's kernels: they compile for every GPU that is served, and compute the CPU's bits."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits.host_kernels import SOURCE_FILE, host_kernels
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.errors import EngineError
from voxgate.runtime.fusion.lost_points import RAY, Points
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.gpu.kernel_compiler import Nvcc, Nvrtc, find_compiler, load_nvrtc
from voxgate.runtime.gpu.launch import (
    COUNTS,
    KERNELS,
    LAUNCH,
    PEAK,
    SOURCE,
    STRAY,
    source,
    unordered,
)
from voxgate.runtime.transforms import Transform, from_position_quaternion
from voxgate.runtime.volume.grid import BLOCK_CELLS, GridSpec
from voxgate.runtime.volume.lift import LiftCounts, lift, lift_points, voxel_from
from voxgate.runtime.volume.volume import SUPPORT_SCORE, Volume

SERVED = {87: "Orin", 89: "RTX Ada", 90: "H100 and H200", 120: "RTX Blackwell"}
GRID = GridSpec((-20.0, -15.0, -10.0), (21, 17, 13), 2.0)
TABLE_Z_MM = -6.0
ELF = b"\x7fELF"

Plane = npt.NDArray[np.float32]


# --- they compile --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("sm", SERVED)
def test_every_kernel_compiles_for(sm: int) -> None:
    library = load_nvrtc()
    assert library is not None, "the development environment has NVRTC as a wheel"
    cubin = Nvrtc(library).compile(source(), SOURCE, sm)
    assert cubin.startswith(ELF)
    for kernel in KERNELS:
        assert kernel.encode() in cubin


def ptx(text: bytes, fmad: bool) -> bytes:
    """What NVRTC makes of a source, in letters."""
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="cuda-bindings is for Linux")
    options = [b"--gpu-architecture=compute_87", b"--fmad=true" if fmad else b"--fmad=false"]
    _, program = nvrtc.nvrtcCreateProgram(text, SOURCE.encode(), 0, [], [])
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS
    _, size = nvrtc.nvrtcGetPTXSize(program)
    made = bytes(size)
    nvrtc.nvrtcGetPTX(program, made)
    return made


@pytest.mark.slow
def test_no_product_is_fused_with_a_sum() -> None:
    """By the intrinsics whatever the option says, and by the option without them."""
    careless = source().replace(b"__fmul_rn(a, b)", b"a * b").replace(b"__fadd_rn(a, b)", b"a + b")
    assert b"fma.rn.f32" in ptx(careless, fmad=True)
    for kernels in (ptx(source(), fmad=True), ptx(careless, fmad=False)):
        assert b"fma.rn.f32" not in kernels
        assert kernels.count(b"mul.") > 10


def test_a_kernel_that_does_not_compile_says_where() -> None:
    with pytest.raises(EngineError, match=r"does not compile for sm_87.*wrong.cu"):
        find_compiler()(b"__global__ void f() { missing(); }", "wrong.cu", 87)


def test_nvcc_serves_where_nvrtc_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from voxgate.runtime.gpu import kernel_compiler

    monkeypatch.setattr(kernel_compiler, "load_nvrtc", lambda: None)
    monkeypatch.setattr(kernel_compiler, "which", lambda name, path=None: f"/bin/{name}")
    assert isinstance(find_compiler().__self__, Nvcc)  # type: ignore[attr-defined]
    monkeypatch.setattr(kernel_compiler, "which", lambda name, path=None: None)
    with pytest.raises(EngineError, match="pip install nvidia-cuda-nvrtc"):
        find_compiler()


# --- they compute what the CPU computes ----------------------------------------------------------


def test_the_struct_has_one_layout_on_both_sides() -> None:
    assert host_kernels().launch_bytes == LAUNCH.itemsize
    text = SOURCE_FILE.read_text(encoding="utf-8")
    body = text[text.index("struct Launch {") : text.index("enum { LIFTED")]
    assert LAUNCH.names is not None
    places = [
        body.index(f"{name}[" if f" {name}[" in body else f"{name};") for name in LAUNCH.names
    ]
    assert places == sorted(places)


def test_the_kernels_threshold_is_the_volumes() -> None:
    assert f"#define SUPPORT_SCORE {SUPPORT_SCORE:.1f}f".encode() in source()


@dataclass
class Memory:
    """A device's volume in numpy, launched by hand."""

    volume: Volume
    rows: int
    arrays: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        capacity = self.volume.score.size // BLOCK_CELLS
        cells = capacity * BLOCK_CELLS
        counts = np.zeros((self.rows, COUNTS), np.int32)
        counts[:, PEAK] = np.iinfo(np.int32).min
        self.arrays = {
            "score": np.zeros(cells, np.int32),
            "hits": np.zeros(cells, np.uint32),
            "seen_by": np.zeros(cells, np.uint64),
            "counts": counts,
            "packed_count": np.zeros(1, np.int32),
            "packed_block": np.zeros(capacity, np.int32),
            "packed_score": np.zeros((capacity, BLOCK_CELLS), np.float32),
            "packed_hits": np.zeros((capacity, BLOCK_CELLS), np.uint16),
            "packed_seen_by": np.zeros((capacity, BLOCK_CELLS), np.uint64),
        }
        if self.volume.sparse:
            entries = len(self.volume.table)
            self.arrays["keys"] = np.zeros(entries, np.int32)
            self.arrays["slot_of"] = np.zeros(entries, np.int32)
            self.arrays["block_of_slot"] = np.zeros(capacity, np.int32)
            self.arrays["used"] = np.zeros(1, np.int32)

    def launch(self, row: int = 0) -> npt.NDArray[np.void]:
        record = np.zeros(1, LAUNCH)
        for name, array in self.arrays.items():
            record[name] = array.ctypes.data
        grid = self.volume.grid
        record["counts"] = self.arrays["counts"].ctypes.data + 4 * COUNTS * row
        record["mask"] = len(self.volume.table) - 1
        record["capacity"] = record["pack_capacity"] = self.volume.score.size // BLOCK_CELLS
        record["shape"], record["blocks"] = grid.shape, grid.blocks[1:]
        record["table"] = np.float32((self.volume.table_z_mm - grid.origin_mm[2]) / grid.voxel_mm)
        return record

    def run(self, kernel: str, record: npt.NDArray[np.void], seed: int, threads: int = 1) -> None:
        """Threads in a random order, dealt to so many real threads that run at the same time."""
        order = np.random.default_rng(seed).permutation(int(record["n"][0])).astype(np.int32)
        arguments = record.view(np.uint8)
        if threads == 1:
            host_kernels().run(kernel, arguments, order)
            return
        workers = [
            threading.Thread(
                target=host_kernels().run,
                args=(kernel, arguments, np.ascontiguousarray(order[at::threads])),
            )
            for at in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def pack(self) -> None:
        slots = self.volume.score.size // BLOCK_CELLS
        record = self.launch()
        record["n"] = slots
        self.run("pack_blocks", record, seed=5)


def _rays(height: int = 24, width: int = 32) -> Rays:
    v, u = np.mgrid[0:height, 0:width]
    focal = width * 1.9
    x, y = (
        ((u - width / 2) / focal).astype(np.float32),
        ((v - height / 2) / focal).astype(np.float32),
    )
    return Rays(x, y, np.array([focal, focal, width / 2, height / 2, 0, 0, 0, 0, 0], np.float64))


def _view(seed: int, shape: tuple[int, int]) -> tuple[Plane, Plane, Plane, Transform, Points]:
    """Score, geometry, depth with holes, a camera about the grid, and points in and about it."""
    random = np.random.default_rng(seed)
    score = (random.gamma(1.0, 0.5, shape) - 0.1).astype(np.float32)
    geometry = random.gamma(0.5, 0.4, shape).astype(np.float32)
    depth = random.uniform(35, 85, shape).astype(np.float32)
    depth[random.random(shape) < 0.2] = np.nan
    depth[random.random(shape) < 0.05] = random.choice(np.array([0, -5, np.inf], np.float32))
    q = random.normal(size=4)
    pose = from_position_quaternion((0, 0, 0), q / np.linalg.norm(q))
    pose[:3, 3] = pose[:3, :3] @ (0, 0, -60.0) + random.normal(0, 2, 3)
    at_mm = random.uniform(-30, 30, (90, 3)).astype(np.float32)
    at_mm[random.random(90) < 0.05] = np.nan
    pixel = np.where(random.random(90) < 0.5, RAY, random.integers(0, score.size, 90))
    points = Points(at_mm, random.gamma(1.0, 1.0, 90).astype(np.float32), pixel.astype(np.int32))
    return score, geometry, depth, pose, points


def _fuse_on_cpu(volume: Volume, views: int, seed: int, crew: Crew) -> list[LiftCounts]:
    counts = []
    for view in range(views):
        score, geometry, depth, pose, points = _view(seed + view, (24, 32))
        both = np.maximum(score, geometry)
        counts.append(lift(volume, both, depth, _rays(), pose, view, crew))
        ray = points.pixel == RAY
        said = np.maximum(points.score[~ray], both.reshape(-1)[points.pixel[~ray]])
        a = lift_points(volume, points.at_mm[ray], points.score[ray], view, crew)
        b = lift_points(volume, points.at_mm[~ray], said, view, crew, seen=False)
        counts.append(
            LiftCounts(*(getattr(a, f) + getattr(b, f) for f in LiftCounts.__dataclass_fields__))
        )
    return counts


def _fuse_by_kernels(memory: Memory, views: int, seed: int, threads: int) -> list[LiftCounts]:
    rays, sizes = _rays(), []
    for view in range(views):
        score, geometry, depth, pose, points = _view(seed + view, (24, 32))
        record = memory.launch(2 * view)
        record["view"], record["n"] = view, score.size
        for name, plane in (
            *(("score_map", score), ("geometry", geometry), ("depth_mm", depth)),
            *(("ray_x", rays.x), ("ray_y", rays.y)),
        ):
            record[name] = plane.ctypes.data
        record["voxel_from"] = voxel_from(GRID, pose).reshape(-1)
        _run_both(memory, "pixels", record, seed, threads)
        record["counts"] = memory.launch(2 * view + 1)["counts"]
        record["n"] = len(points.pixel)
        record["points_mm"] = points.at_mm.ctypes.data
        record["point_score"] = points.score.ctypes.data
        record["point_pixel"] = points.pixel.ctypes.data
        record["voxel_from"] = voxel_from(GRID, np.eye(4)).reshape(-1)
        _run_both(memory, "points", record, seed, threads)
        sizes += [score.size, len(points.pixel)]
    return [_counts(row, size) for row, size in zip(memory.arrays["counts"], sizes, strict=True)]


def _run_both(
    memory: Memory, what: str, record: npt.NDArray[np.void], seed: int, threads: int
) -> None:
    if memory.volume.sparse:
        memory.run(f"claim_{what}", record, seed + 1, threads)
    memory.run(f"fuse_{what}", record, seed, threads)


def _counts(row: npt.NDArray[np.int32], of: int) -> LiftCounts:
    lifted, table, invalid, dropped = (int(n) for n in row[:4])
    outside = of - lifted - table - invalid - dropped
    return LiftCounts(lifted, outside, invalid, table, dropped, stray=int(row[STRAY]))


@pytest.fixture(scope="module")
def crew() -> Crew:
    return Crew(1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), sparse=st.booleans(), threads=st.sampled_from([1, 3]))
def test_the_volume_is_the_cpus_bit_for_bit(seed: int, sparse: bool, threads: int) -> None:
    views = 3
    with Crew(1) as crew:
        volume = Volume(GRID, TABLE_Z_MM, sparse=sparse)
        wanted = _fuse_on_cpu(volume, views, seed, crew)
        memory = Memory(Volume(GRID, TABLE_Z_MM, sparse=sparse), 2 * views)
        assert _fuse_by_kernels(memory, views, seed, threads) == wanted
    memory.pack()
    count = int(memory.arrays["packed_count"][0])
    got_score = np.zeros((GRID.block_count, BLOCK_CELLS), np.float32)
    got_hits = np.zeros((GRID.block_count, BLOCK_CELLS), np.int32)
    blocks = memory.arrays["packed_block"][:count].astype(np.int64)
    assert len(np.unique(blocks)) == count
    got_score[blocks] = memory.arrays["packed_score"][:count]
    got_hits[blocks] = memory.arrays["packed_hits"][:count]
    dense = Volume(GRID, TABLE_Z_MM, sparse=False)
    with Crew(1) as crew:
        _fuse_on_cpu(dense, views, seed, crew)
    np.testing.assert_array_equal(
        got_score.reshape(-1).view(np.int32), np.abs(dense.score).view(np.int32)
    )
    np.testing.assert_array_equal(got_hits.reshape(-1), dense.hits)
    seen_by = np.zeros((GRID.block_count, BLOCK_CELLS), np.uint64)
    seen_by[blocks] = memory.arrays["packed_seen_by"][:count]
    for view in range(views):
        ids = np.flatnonzero(seen_by.reshape(-1) >> np.uint64(view) & np.uint64(1))
        supports = dense.supports.get(view, [np.zeros(0, np.int32)])
        np.testing.assert_array_equal(ids, np.unique(np.concatenate(supports)))


def test_a_full_memory_is_counted_not_overwritten(crew: Crew) -> None:
    small = Volume(GRID, TABLE_Z_MM, sparse=True)
    memory = Memory(small, 2)
    record_capacity = 5

    original = memory.launch

    def limited(row: int = 0) -> npt.NDArray[np.void]:
        record = original(row)
        record["capacity"] = record_capacity
        return record

    memory.launch = limited  # type: ignore[method-assign]
    pixels, points = _fuse_by_kernels(memory, 1, 3, 2)
    assert pixels.dropped > 0
    everything = Volume(GRID, TABLE_Z_MM, sparse=True)
    with Crew(1) as one:
        wanted = _fuse_on_cpu(everything, 1, 3, one)[0]
    assert pixels.lifted + pixels.dropped == wanted.lifted
    assert points.dropped + points.lifted > 0
    used = record_capacity * BLOCK_CELLS
    assert not memory.arrays["hits"][used:].any()


def test_nan_scores_are_counted_and_written_nowhere() -> None:
    memory = Memory(Volume(GRID, TABLE_Z_MM), 1)
    score, _, depth, pose, _ = _view(1, (24, 32))
    score[:] = np.nan
    score[0, 0] = np.inf
    rays = _rays()
    record = memory.launch()
    record["n"] = score.size
    for name, plane in (("score_map", score), ("depth_mm", depth)):
        record[name] = plane.ctypes.data
    record["ray_x"], record["ray_y"] = rays.x.ctypes.data, rays.y.ctypes.data
    record["voxel_from"] = voxel_from(GRID, pose).reshape(-1)
    memory.run("fuse_pixels", record, seed=0)
    counts = memory.arrays["counts"][0]
    assert counts[4] == score.size
    assert np.isin(memory.arrays["score"], [0, np.float32(np.inf).view(np.int32)]).all()


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_ordered_integers_order_as_floats_do(values: list[float]) -> None:
    floats = np.array(values, np.float32)
    bits = floats.view(np.int32)
    keys = np.where(bits >= 0, bits, bits ^ np.int32(0x7FFFFFFF)).astype(np.int32)
    assert unordered(keys[keys.argmax()][None])[0] == floats.max()
    np.testing.assert_array_equal(unordered(keys).view(np.int32), bits)


FINE = GridSpec((-50.0, -50.0, -50.0), (1000, 1000, 1000), 0.1)


def test_pixels_whose_voxel_hangs_on_the_last_bit_are_rounded_as_the_cpu_does() -> None:
    """Of a million pixels, those that a fused multiply-add would put into another voxel."""
    random = np.random.default_rng(3)
    _, _, _, pose, _ = _view(11, (2, 2))
    m = voxel_from(FINE, pose)
    depth, ray_x, ray_y = (
        random.uniform(low, high, 1_000_000).astype(np.float32)
        for low, high in ((50, 70), (-0.2, 0.2), (-0.2, 0.2))
    )
    x, y = ray_x * depth, ray_y * depth
    rounded = [m[a, 0] * x + m[a, 1] * y + m[a, 2] * depth + m[a, 3] for a in range(3)]
    m64, z64 = m.astype(np.float64), depth.astype(np.float64)
    exact = [m64[a, 0] * x + m64[a, 1] * y + m64[a, 2] * z64 + m64[a, 3] for a in range(3)]
    hangs = np.any([np.floor(r) != np.floor(e) for r, e in zip(rounded, exact, strict=True)], 0)
    assert hangs.sum() > 50
    planes = {"depth_mm": depth, "ray_x": ray_x, "ray_y": ray_y}
    planes = {name: np.ascontiguousarray(plane[hangs][None]) for name, plane in planes.items()}
    planes["score_map"] = random.uniform(0.1, 2, planes["depth_mm"].shape).astype(np.float32)
    host = Volume(FINE, memory_mb=8)
    rays = Rays(planes["ray_x"], planes["ray_y"], np.zeros(9))
    with Crew(1) as crew:
        lift(host, planes["score_map"], planes["depth_mm"], rays, pose, 0, crew)
    memory = Memory(Volume(FINE, memory_mb=8), 1)
    record = memory.launch()
    record["n"], record["voxel_from"] = hangs.sum(), m.reshape(-1)
    for name, plane in planes.items():
        record[name] = plane.ctypes.data
    _run_both(memory, "pixels", record, seed=0, threads=1)
    memory.pack()
    count = int(memory.arrays["packed_count"][0])
    order = np.argsort(memory.arrays["packed_block"][:count])
    used = int(host.used[0])
    hosts_order = np.argsort(host.block_of_slot[:used])
    np.testing.assert_array_equal(
        memory.arrays["packed_block"][:count][order], host.block_of_slot[:used][hosts_order]
    )
    for name, kept in (("packed_hits", host.hits), ("packed_score", host.score)):
        blocks = kept.reshape(-1, BLOCK_CELLS)[:used][hosts_order]
        np.testing.assert_array_equal(memory.arrays[name][:count][order], blocks)
