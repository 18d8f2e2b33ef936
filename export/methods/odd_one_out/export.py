"""A recipe that compares the parts of a tray by the network: from its weights and one tray.

weights + tray -> two graphs -> where the volume lies -> parity on the tray -> probes -> recipe

The tray gives the view plan, the place of the table and the size of a voxel. Depth must be able to
judge it: what the network says is held against what stands there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.export.graph.real_tensorrt import GraphCheck
from voxgate.export.graph.tensorrt_rules import check
from voxgate.export.methods.odd_one_out.checkpoint import Trained
from voxgate.export.methods.odd_one_out.graphs import METHOD, Half, halves
from voxgate.export.methods.odd_one_out.parity import Proof, prove
from voxgate.export.methods.odd_one_out.volume_grid import volume_grid
from voxgate.export.packing.package import (
    as_json,
    as_npz,
    check_free,
    digests,
    name_of,
    plan_fields,
    probe_arrays,
    write_files,
)
from voxgate.export.packing.recipe_parts import tools
from voxgate.export.reference.neighbours import (
    ExampleTray,
    judged_example,
    scene_views,
    view_plan,
)
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.recipe.contents import MAX_VIEWS
from voxgate.runtime.recipe.manifest import DetectorSection, GridSection, Manifest
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.trays.network.graphs import AFTER
from voxgate.runtime.trays.network.pictures import Eye

THREADS = 2
LIKELY = 0.5  # an instance that is odd as likely as not is at the threshold


@dataclass(frozen=True, slots=True)
class Options:
    """tray: a recorded scan, or a scene. grey: pictures without colour. threshold: likelihood that
    becomes 1.0. check: whether TensorRT builds a graph."""

    tray: Path
    out: Path
    name: str | None = None
    version: str = "1"
    part: str | None = None
    calibration: Path | None = None
    grey: bool = False
    threshold: float = LIKELY
    check: GraphCheck = check


def export_odd_one_out(trained: Trained, options: Options) -> dict[str, Any]:
    """Write the recipe; a summary for people. Raises VoxGateError: then nothing is written."""
    check_free(options.out)
    tray = ExampleTray.open(options.tray, options.part, options.calibration)
    if not 1 <= len(tray.views) <= MAX_VIEWS:
        raise ScanError(f"{options.tray}: {len(tray.views)} views, a recipe plans 1 to {MAX_VIEWS}")
    both = halves(trained.network, len(tray.views), options.grey, options.threshold)
    for half, where in zip(both, ("before the boxes", "after the boxes"), strict=True):
        options.check(half.graph, f"{METHOD} {where}")
    with Crew(THREADS) as crew:
        grid, boxes_mm = _grid(tray, trained, crew)
        draft = _manifest(tray, both, grid, trained, options)
        proof = _proven(tray, both, draft, boxes_mm, crew)
    manifest = draft.model_copy(update={"provenance": {**draft.provenance, "parity": proof.rows}})
    files = _files(tray, both, proof, options)
    write_files(options.out, manifest.model_copy(update={"files": digests(files)}), files)
    Recipe.load(options.out)
    return {
        "recipe": str(options.out),
        "views": len(tray.views),
        "voxel_mm": round(grid.voxel_mm, 3),
        "parity": proof.rows,
        "outcome": proof.verdict.outcome.value,
        "scores": [each.score for each in proof.verdict.judged],
    }


def _grid(
    tray: ExampleTray, trained: Trained, crew: Crew
) -> tuple[GridSection, np.ndarray[Any, Any]]:
    """Of the volume, and where instances stand (n, 2, 3)."""
    found, judge = judged_example(tray, crew)
    boxes_mm = np.stack([each.instance.box_mm for each in found.judged])
    return volume_grid(boxes_mm, judge.table_z_mm, trained.network.constants.voxels), boxes_mm


def _manifest(
    tray: ExampleTray,
    both: tuple[Half, Half],
    grid: GridSection,
    trained: Trained,
    options: Options,
) -> Manifest:
    before, after = both
    provenance = {
        "tray": options.tray.name,
        "views": len(tray.views),
        "constants": trained.network.constants.to_json(),
        "training": dict(trained.record),
    }
    made = tools("torch")
    return Manifest(
        schema_version=2,
        name=options.name or name_of(tray.calibration.part),
        version=options.version,
        part=tray.calibration.part,
        method=METHOD,
        detector="scene",
        geometry=True,
        created_utc=utc_now(),
        tools=made,
        provenance=provenance,
        calibration_digest=tray.calibration.digest,
        inputs=before.source.inputs,
        output=before.output,
        grid=grid,
        tolerance_mm=grid.voxel_mm,
        untrained=True if trained.untrained else None,
        detectors=(
            DetectorSection(
                name=AFTER,
                method=METHOD,
                inputs=after.source.inputs,
                output=after.output,
                tools=made,
                provenance={},
            ),
        ),
        files={},
    )


def _proven(
    tray: ExampleTray,
    both: tuple[Half, Half],
    manifest: Manifest,
    boxes_mm: np.ndarray[Any, Any],
    crew: Crew,
) -> Proof:
    rays = Rays.from_calibration(tray.calibration)
    views, grid = scene_views(tray.views), manifest.grid
    planned, channels, side_px, _ = manifest.inputs[0].shape
    try:
        seen = Eye(rays, grid).seen(views, planned, channels, side_px)
    except ValueError as error:
        raise ScanError(f"{error}: export it with --grey, from weights that know grey") from error
    boxes = ((boxes_mm - grid.origin_mm) / grid.voxel_mm).reshape(-1, 6).astype(np.float32)
    engines = tuple(open_cpu(half.graph.SerializeToString(), THREADS) for half in both)
    with closing(engines[0]), closing(engines[1]):
        pair = (engines[0], engines[1])
        return prove(both, pair, seen, boxes, views, rays, manifest, crew)


def _files(
    tray: ExampleTray, both: tuple[Half, Half], proof: Proof, options: Options
) -> dict[str, bytes]:
    first, second = proof.probes
    graph, probe = f"model.{AFTER}.onnx", f"probe.{AFTER}.npz"
    threshold: Mapping[str, Any] = {
        "how": "likelihood of being odd, as the network was trained to say it",
        "likelihood": options.threshold,
    }
    return {
        "model.onnx": both[0].graph.SerializeToString(),
        graph: both[1].graph.SerializeToString(),
        "viewplan.json": as_json(plan_fields(view_plan(tray.views))),
        "threshold.json": as_json(threshold),
        "probe.npz": as_npz(**probe_arrays([first])),
        probe: as_npz(**probe_arrays([second])),
    }
