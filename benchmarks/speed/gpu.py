"""The way of a part on a GPU, stage by stage: bytes moved, estimated ms, and ms where a GPU is.

The estimates are bytes over three quarters of a device's published bandwidth: what memory allows,
not what was measured. A model's bytes count every tensor written and read once, as if nothing
were fused, and its arithmetic not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.places import BRACKET, RECIPES
from voxgate.benchmarks.speed import turns
from voxgate.benchmarks.speed.stages import MEASURED_PARTS, Stage, measure
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.engines.build import build_recipe
from voxgate.runtime.engines.builder import BuildOptions
from voxgate.runtime.engines.tensorrt_module import installed
from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import open_device
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import View
from voxgate.runtime.plans.flavour import FLAVOURS, TENSORRT, Name
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.scans.scan import Scan
from voxgate.runtime.volume.grid import BLOCK_CELLS
from voxgate.sim.recipes import export_once

REACHED = 0.75  # of a peak bandwidth, by a kernel that reads and writes in order
CELL_BYTES = 4 + 4 + 8  # score, hits, views that saw it
PACKED_BYTES = 4 + 2 + 8
HIT_BYTES = 4 + 2 * 4  # score is read, hits are read and written; neighbours share sectors
PIXEL_BYTES = 5 * 4  # depth, two ray planes, score, geometry


@dataclass(frozen=True, slots=True)
class Gpu:
    """Peaks. dram_gb_s: of its memory. link_gb_s: PCIe to the host; None on a Jetson, whose CPU
    and GPU share one memory."""

    name: str
    dram_gb_s: float
    link_gb_s: float | None = None


GPUS = (
    Gpu("Orin Nano", 68),
    Gpu("Orin NX", 102),
    Gpu("AGX Orin", 205),
    Gpu("Thor", 273),
    Gpu("RTX 4000 Ada", 360, 32),
    Gpu("RTX PRO 4000", 672, 64),
    Gpu("H200", 4800, 64),
)


def main() -> None:
    """Print the table; with measured times where a GPU and TensorRT are."""
    console = Console(width=150)
    recipe = Recipe.load(export_once(BRACKET / "golden", RECIPES))
    scan = open_scan(BRACKET / "bad")
    views = [v for v in views_of(scan, DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]
    stages = bytes_moved(recipe, scan, views)
    measured: dict[Stage, float] = {}
    flavour: Name = next((name for name in FLAVOURS if installed(name)), TENSORRT)
    try:
        device = open_device()
        where = f"{device.info} by {device.library}"
        device.close()
        measured = _measured(recipe, scan, views, flavour)
        console.print(f"measured on {where}, median of {MEASURED_PARTS} parts")
    except EngineError as error:
        console.print(f"not measured: {error}", soft_wrap=True)
    console.print(stage_table(stages, measured))
    console.print(
        f"estimates: bytes over {REACHED:.0%} of a published peak bandwidth; a model counts every "
        "tensor written and read once, nothing fused, and none of its arithmetic",
        soft_wrap=True,
    )
    if measured:
        console.print(turns.told(flavour), soft_wrap=True)


def stage_table(moved: dict[Stage, int], measured: dict[Stage, float]) -> Table:
    """One row per stage; the last row adds a part of so many views up."""
    names = (gpu.name for gpu in GPUS)
    table = Table("stage", "MB", *names, "measured", title="ms: estimated per device, and measured")
    for stage, size in moved.items():
        took = f"{measured[stage]:.3f}" if stage in measured else "-"
        estimates = (f"{_estimate_ms(stage, size, gpu):.3f}" for gpu in GPUS)
        table.add_row(stage.value, f"{size / 1e6:.2f}", *estimates, took)
    return table


def bytes_moved(recipe: Recipe, scan: Scan, views: list[View]) -> dict[Stage, int]:
    """Counted on the example part, inspected on the CPU."""
    opened = Inspector.open(recipe, scan.calibration, Limits())
    try:
        opened.start()
        for view in views:
            opened.add(view)
        opened.finish()
        voxels = opened.volume.occupied()
        used = opened.volume.score.size
    finally:
        opened.close()
    pixels = views[0].image.size
    inputs = sum(spec.nbytes for spec in recipe.manifest.inputs)
    planes = 4 * pixels * (1 + recipe.manifest.geometry)
    blocks = len(np.unique(voxels.ids // BLOCK_CELLS))
    hits = int(voxels.hits.sum()) // len(views)
    return {
        Stage.UPLOAD: inputs + planes,
        Stage.ENGINE: model_bytes(recipe.model),
        Stage.FUSE: PIXEL_BYTES * pixels + HIT_BYTES * hits,
        Stage.CLEAR: CELL_BYTES * used,
        Stage.COLLECT: 8 * used + (CELL_BYTES + PACKED_BYTES) * BLOCK_CELLS * blocks,
        Stage.DOWNLOAD: PACKED_BYTES * BLOCK_CELLS * blocks + 4 * blocks,
    }


def model_bytes(model: bytes) -> int:
    """Weights read once, every other tensor written once and read by whoever takes it."""
    typed = onnx.shape_inference.infer_shapes(onnx.load_from_string(model), data_prop=True)
    sizes = {c.name: _proto_bytes(c.data_type, c.dims) for c in typed.graph.initializer}
    for value in (*typed.graph.input, *typed.graph.value_info, *typed.graph.output):
        tensor = value.type.tensor_type
        sizes[value.name] = _proto_bytes(tensor.elem_type, [d.dim_value for d in tensor.shape.dim])
    moved = 0
    for node in typed.graph.node:
        moved += sum(sizes.get(name, 0) for name in (*node.input, *node.output))
    return moved


def _proto_bytes(elem_type: int, dims: object) -> int:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(elem_type) if elem_type else np.dtype(np.uint8)
    return int(np.prod(list(dims), dtype=np.int64)) * dtype.itemsize  # type: ignore[call-overload]


def _estimate_ms(stage: Stage, size: int, gpu: Gpu) -> float:
    if stage not in (Stage.UPLOAD, Stage.DOWNLOAD):
        return size / (REACHED * gpu.dram_gb_s * 1e6)
    if gpu.link_gb_s is None:  # within one memory a copy reads and writes it
        return 2 * size / (REACHED * gpu.dram_gb_s * 1e6)
    return size / (REACHED * gpu.link_gb_s * 1e6)


def _measured(recipe: Recipe, scan: Scan, views: list[View], flavour: Name) -> dict[Stage, float]:
    with TemporaryDirectory() as folder:
        plans = PlanCache(Path(folder))
        silent: Callable[[str, int, int], None] = lambda phase, step, steps: None  # noqa: E731
        build_recipe(recipe, plans, BuildOptions(), silent, flavour=flavour)
        return measure(recipe, scan.calibration, views, plans, flavour)


if __name__ == "__main__":
    main()
