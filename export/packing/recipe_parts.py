"""What every recipe of a golden scan holds, whichever detector it carries."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from voxgate import __version__
from voxgate.export.golden.disturbance import surface_of
from voxgate.export.golden.gloss import Gloss
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.strange import MARK_OF_HEIGHT
from voxgate.export.packing.package import ReferenceViews, SensedViews
from voxgate.export.progress import Bar
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.comparison.expected import ExpectedView, expect
from voxgate.runtime.engines.engine import Engine, Tensor, raw_scores
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import GridSection, Manifest, TensorSpec

TOOLS = ("onnx", "onnxruntime", "numpy")


def expected_views(golden: Golden, flicker: Gloss, bar: Bar) -> tuple[ExpectedView, ...]:
    """Every golden view as small planes; one step of the bar each."""
    bar.say("fit the golden surface")
    found = []
    learnt = zip(golden.views, flicker.grey, golden.unreturned.depth_mm, strict=True)
    for view, shine, shown in learnt:
        assert view.depth_mm is not None  # load_golden refuses a scan without
        pose, table = view.part_from_camera, golden.table_z_mm
        one = expect(view.picture, view.depth_mm, golden.rays, pose, table, shine, shown)
        if view.sensed is not None:
            one = replace(one, sensed=surface_of(view.sensed, golden.rays.shape, table))
        found.append(one)
        bar.step()
    return tuple(found)


def reference_views(golden: Golden, flicker: Gloss, manifest: Manifest) -> ReferenceViews:
    """The golden views as they go into reference.npz, in colour where the recipe sees colour."""
    unit_mm = golden.scan.calibration.depth_unit_mm
    depth = np.stack([view.depth_mm for view in golden.views if view.depth_mm is not None])
    return ReferenceViews(
        image=np.stack(
            [view.picture if manifest.in_colour else view.image for view in golden.views]
        ),
        depth_counts=counts_of(depth, unit_mm),
        shown_counts=counts_of(golden.unreturned.depth_mm, unit_mm),
        depth_unit_mm=unit_mm,
        part_from_camera=np.stack([view.part_from_camera for view in golden.views]),
        gloss=flicker.grey,
        sensed=_sensed_views(golden, unit_mm),
    )


def _sensed_views(golden: Golden, unit_mm: float) -> SensedViews | None:
    if golden.rays.sensed is None:
        return None
    shapes = golden.shapes
    depth = np.stack([view.depth_mm for view in shapes if view.depth_mm is not None])
    poses = np.stack([view.part_from_camera for view in shapes])
    return SensedViews(counts_of(depth, unit_mm), poses)


def counts_of(depth_mm: npt.NDArray[np.float32], unit_mm: float) -> npt.NDArray[np.uint16]:
    """Of depth (..., NaN where there is none), 0 for that."""
    counts: npt.NDArray[np.uint16] = np.rint(np.nan_to_num(depth_mm) / unit_mm).astype(np.uint16)
    return counts


def manifest_of(
    golden: Golden,
    *,
    name: str,
    version: str,
    method: str,
    inputs: tuple[TensorSpec, ...],
    output: TensorSpec,
    provenance: Mapping[str, Any],
    tolerance_mm: float,
    **more: Any,
) -> Manifest:
    """A manifest whose files are not written yet; `more` are further fields of it."""
    grid = golden.grid
    return Manifest(
        name=name,
        version=version,
        part=golden.scan.calibration.part,
        method=method,
        created_utc=utc_now(),
        provenance={
            "golden_scan": golden.scan.folder.name,
            "views": len(golden.views),
            **provenance,
        },
        calibration_digest=golden.scan.calibration.digest,
        inputs=inputs,
        output=output,
        grid=GridSection(
            origin_mm=grid.origin_mm,
            shape=grid.shape,
            voxel_mm=grid.voxel_mm,
            table_z_mm=golden.table_z_mm,
        ),
        tolerance_mm=tolerance_mm,
        working=golden.working.section,
        files={},
        **{"schema_version": 1, "detector": "view", "tools": tools(), **more},
    )


def tools(*further: str) -> dict[str, str]:
    """Versions of what makes a recipe, and of `further` distributions."""
    found = {name: version(name) for name in (*TOOLS, *further)}
    return {"voxgate": __version__, **found, "python": platform.python_version()}


def probes_of(engine: Engine, inputs: Sequence[Mapping[str, Tensor]]) -> tuple[Probe, ...]:
    """What this engine says of these inputs."""
    return tuple(Probe(dict(given), raw_scores(engine, dict(given))) for given in inputs)


def with_mark(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A black spot in the middle of the picture."""
    image = np.array(inputs["image"], np.uint8)
    height, width = image.shape[2:]
    radius_px = max(2, round(height * MARK_OF_HEIGHT))
    for plane in image[0]:
        cv2.circle(plane, (width // 2, height // 2), radius_px, 0, thickness=-1)
    return {**inputs, "image": image}
