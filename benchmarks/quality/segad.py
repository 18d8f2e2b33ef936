"""SegAD's ablation on the public scans: each detector alone against all of them, by every forest.

    python -m voxgate.benchmarks.quality.segad [scans] [folder of a further recipe per part type]

Trained on the golden scan and defects generated on it, judged on the test scans. The second model
is the comparison head on random filters in place of the filter bank: a model, not a trained one. A
folder of recipes named after the part types (`bracket`, `crate`) takes its place.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import monotonic_ns

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from voxgate.benchmarks.quality.detection import scans_folder
from voxgate.export.packing.combine import combined
from voxgate.export.quality.scorer import Samples, table_of
from voxgate.export.quality.scorer_ablation import against, as_table
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.common.timings import Work
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.scans.open_scan import open_scan

GENERATED = 24
FILTERS = 16
SEED = 3
MODELS = {"one model": "first", "two models": "both"}


def random_filters(path: Path) -> Path:
    """A backbone of one layer: random 5 x 5 filters with a rectifier, stride 2."""
    weights = np.random.default_rng(SEED).normal(0, 0.2, (FILTERS, 3, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], strides=[2, 2], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["c"], ["map"]),
    ]
    graph = helper.make_graph(
        nodes,
        "random filters",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def recipes(part: Path, work: Path, second: Path | None) -> Path:
    """`first` and `both`, of one part type; returns their folder."""
    export_reference_recipe(part / "golden", work / "first")
    if second is None:
        network = random_filters(work / "filters.onnx")
        second = work / "second"
        export_reference_recipe(part / "golden", second, backbone=network)
    combined([work / "first", second], work / "both", "2")
    return work


def main(scans: str | None = None, seconds: str | None = None) -> None:
    """Print one table per part type, and what the second model costs."""
    console = Console()
    try:
        folder = scans_folder(scans)
    except FileNotFoundError as error:
        console.print(f"segad: skipped, {error}", soft_wrap=True)
        return
    for part in sorted(path.parent.parent for path in folder.glob("*/golden/frames.jsonl")):
        with tempfile.TemporaryDirectory() as work:
            second = None if seconds is None else Path(seconds) / part.name
            _show(part, recipes(part, Path(work), second), console)


def _show(part: Path, made: Path, console: Console) -> None:
    recipe, zones = Recipe.load(made / "both"), Zones.whole()
    good, bad = _labelled(part)
    train = table_of(recipe, zones, Samples((part / "golden",), (), GENERATED))
    test = table_of(recipe, zones, Samples(good, bad, 0))
    console.print(f"{recipe.manifest.methods}: {len(good)} good, {len(bad)} bad", highlight=False)
    console.print(as_table(against(train, test), f"{part.name}, Cl. AUROC"))
    for words, name in MODELS.items():
        console.print(f"{words}: {_view_ms(made / name, good[0])} a view", highlight=False)


def _labelled(part: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    found: dict[bool, list[Path]] = {False: [], True: []}
    for truth in sorted(part.glob("test/*/truth.json")):
        found[bool(json.loads(truth.read_text())["defects"])].append(truth.parent)
    return tuple(found[False]), tuple(found[True])


def _view_ms(recipe: Path, scan: Path) -> str:
    """Medians over one part, once inspected before."""
    opened, loaded = open_scan(scan), Recipe.load(recipe)
    made = Inspector.open(loaded, opened.calibration, Limits(), now_ns=monotonic_ns)
    with closing(made) as inspector:
        for _ in range(2):
            inspect_scan(opened, inspector)
        timings = inspector.take_timings()
    shown = []
    for work in (Work.DESCRIBE, Work.ENGINE, Work.FUSE):
        took = [timing.took_ns / 1e6 for timing in timings if timing.work is work]
        shown.append(f"{work.value} {statistics.median(took):.1f} ms")
    return ", ".join(shown)


if __name__ == "__main__":
    main(*sys.argv[1:3])
