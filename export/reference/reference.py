"""The default detector: ONE golden scan becomes a recipe, on a CPU, without any weights.

golden scan -> views with poses -> gloss -> seen again under other placement, light and noise
            -> graph (filter bank, or a backbone of the user's) -> threshold -> recipe
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from voxgate.export.golden.disturbance import disturbed
from voxgate.export.golden.gloss import Gloss, gloss
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.golden.inputs import spec
from voxgate.export.golden.left_out import LeftOut, left_out
from voxgate.export.golden.seen_again import (
    REPEATS,
    SEED,
    Again,
    NominalScores,
    nominal_scores,
    seen_again_inputs,
)
from voxgate.export.golden.uninspected import picture, unmeasured_mm2
from voxgate.export.golden.working import Working
from voxgate.export.graph.real_tensorrt import GraphCheck
from voxgate.export.graph.tensorrt_rules import check
from voxgate.export.packing.package import (
    RecipeParts,
    check_free,
    check_label,
    name_of,
    write_recipe,
)
from voxgate.export.packing.recipe_parts import (
    expected_views,
    manifest_of,
    probes_of,
    reference_views,
    with_mark,
)
from voxgate.export.progress import Bar, Progress, silent
from voxgate.export.reference import filter_bank
from voxgate.export.reference import user_backbone as user_backbone
from voxgate.export.reference.colour_bank import colour_bank
from voxgate.export.reference.good_parts import taught
from voxgate.export.reference.grain import grained
from voxgate.export.reference.grain_borne import borne
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.register import TOLERANCE_MM
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from voxgate.runtime.errors import EngineError
from voxgate.runtime.nouns import Picture
from voxgate.runtime.pixels.colour import COLOURS
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.manifest import Manifest, TensorSpec

METHOD = "reference"
NOISE_PAIRS = 3  # golden views on which a backbone's noise is measured: a quarter of a ring
PROBES = 2
THREADS = 2
RENDERED_PROOF = {
    "proves": "placement and depth noise alone do not reject a good part",
    "cannot_prove": "marks, scratches, stains: a rendering shows no texture, print or gloss, so "
    "the shape alone is judged; how real parts differ from CAD: inspect some good parts",
}


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A graph and the names of its inputs."""

    graph: onnx.ModelProto
    inputs: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """The ONNX file."""
        content: bytes = self.graph.SerializeToString()
        return content


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A scaled model with what was measured to scale it."""

    model: bytes
    inputs: tuple[str, ...]
    scores: NominalScores
    raised_mm: float
    full_scale: float
    probes: tuple[Probe, ...]

    def tolerance_mm(self, rendered: bool) -> float:
        """Deviation that scores 1.0: the usual one, or what this sensor's noise demands; steps at
        which the views of a rendering differ say nothing of a sensor."""
        return TOLERANCE_MM if rendered else TOLERANCE_MM * max(1.0, self.scores.expected_deviation)


def export_reference_recipe(
    scan: Path,
    out: Path,
    *,
    name: str | None = None,
    version: str = "1",
    backbone: Path | None = None,
    rendered: bool = False,
    smallest_mm: float | None = None,
    voxel_mm: float | None = None,
    good: Sequence[Path] = (),
    force: bool = False,
    grey: bool = False,
    calibration: Path | None = None,
    check: GraphCheck = check,
    on_progress: Progress = silent,
) -> dict[str, Any]:
    """Write the recipe folder `out` from one golden scan; returns a summary for people and JSON.

    rendered: the scan was rendered from CAD. Such pictures have no texture, print or gloss, so
    that every real part differs from them; the recipe judges the shape alone and says so.

    smallest_mm: the smallest defect that must be found, across: no larger hole may stay unseen.

    voxel_mm: edge of the recipe's voxels; None: as the scan's grid.json has them.

    good: scans of further good parts: where they differ from the golden one, others may too. force:
    also by those that the golden scan alone FAILs.

    grey: inspect the luma of a scan in colour, whatever colour its parts have.

    check: whether TensorRT builds the graph.

    on_progress(done, of, what) is called as the work goes on. Raises ScanError, CalibrationError,
    EngineError (a backbone that cannot be used) or RecipeError (`out` exists).
    """
    check_free(out)
    if rendered and backbone is not None:
        raise EngineError("a rendered scan teaches no look: leave --backbone or --rendered away")
    bar = Bar(on_progress)
    bar.say("read the golden scan")
    seen = load_golden(scan, calibration, smallest_mm, voxel_mm=voxel_mm)
    golden = seen.in_grey() if grey else seen
    name = name or name_of(golden.scan.calibration.part)
    check_label(name, version)
    bar.begin(len(golden.views) * (1 + 2 * REPEATS))  # fitted once, seen again REPEATS times
    parts = build_parts(
        golden,
        name=name,
        version=version,
        backbone=backbone,
        rendered=rendered,
        smallest_mm=smallest_mm,
        check=check,
        bar=bar,
    )
    if good:
        parts = taught(parts, good, force, bar)
    bar.say("write the recipe")
    write_recipe(out, parts)
    bar.end()
    return _summary(out, parts, golden.working)


def build_parts(
    golden: Golden,
    *,
    name: str,
    version: str = "1",
    backbone: Path | None = None,
    rendered: bool = False,
    smallest_mm: float | None = None,
    check: GraphCheck = check,
    bar: Bar | None = None,
) -> RecipeParts:
    """Everything of the recipe, in memory. Raises as `export_reference_recipe` does."""
    bar = bar or Bar(silent)
    network = None if backbone is None else user_backbone.load_backbone(backbone)
    if rendered or (network is not None and network.channels == 1):
        golden = golden.in_grey()
    bar.say("gloss")
    flicker = gloss(golden.views, golden.rays, golden.table_z_mm, golden.unreturned.depth_mm)
    expected = expected_views(golden, flicker, bar)
    model_of = _modeller(golden, network, rendered)
    full_scale = filter_bank.FULL_SCALE if backbone is None else user_backbone.FULL_SCALE
    check(model_of(full_scale).graph, METHOD)
    detector = _detector(golden, expected, flicker, model_of, full_scale, bar)
    manifest = _manifest(golden, detector, name, version, backbone, rendered, smallest_mm)
    judged = {"unmeasured_mm2": round(unmeasured_mm2(golden), 1)}
    record = detector.scores.record(detector.full_scale, detector.tolerance_mm(rendered))
    parts = RecipeParts(
        manifest=manifest,
        model=detector.model,
        plan=golden.plan,
        expected_ijk=golden.expected_ijk(),
        reference=reference_views(golden, flicker, manifest),
        probes=detector.probes,
        threshold={**record, **RENDERED_PROOF, **judged} if rendered else {**record, **judged},
        uninspected=picture(golden),
    )
    # a backbone of the user's is shown the grain as it is
    return parts if rendered or backbone is not None else borne(parts, grained(golden, expected))


# --- one function per step, in their order ------------------------------------------------------


def _modeller(
    golden: Golden, network: user_backbone.Backbone | None, rendered: bool
) -> Callable[[float], Model]:
    """The graph as a function of its scale."""
    size_px = golden.rays.x.shape[0], golden.rays.x.shape[1]
    if rendered:
        return lambda scale: Model(filter_bank.silent(size_px), ("image",))
    if network is None:
        bank = filter_bank.filter_bank if golden.channels == 1 else colour_bank
        return lambda scale: Model(bank(size_px, scale), filter_bank.INPUTS)
    pairs = _noise_pairs(golden)
    return lambda scale: Model(
        user_backbone.backbone_graph(network, size_px, scale, pairs), user_backbone.INPUTS
    )


def _detector(
    golden: Golden,
    expected: tuple[ExpectedView, ...],
    flicker: Gloss,
    model_of: Callable[[float], Model],
    full_scale: float,
    bar: Bar,
) -> Detector:
    rng = np.random.default_rng(SEED)
    bar.say("see the golden part again")
    runs = []
    with Crew(THREADS) as crew:
        for _ in range(REPEATS):
            runs.append(seen_again_inputs(golden, expected, crew, rng))
            for _ in golden.views:
                bar.step()
        bar.say("leave views out")
        alone = left_out(golden, expected, flicker, crew)
    bar.say("score it")
    return _scaled(model_of, full_scale, runs, alone, expected, bar)


def _scaled(
    model_of: Callable[[float], Model],
    full_scale: float,
    runs: list[list[Again]],
    alone: LeftOut,
    expected: tuple[ExpectedView, ...],
    bar: Bar,
) -> Detector:
    model = model_of(full_scale)
    runs = [[replace(again, inputs=_named(again, model.inputs)) for again in r] for r in runs]
    scores = _scores(model, runs, alone, expected, bar)
    if scores.expected_max > 1.0:
        full_scale *= scores.expected_max
        model = model_of(full_scale)
        scores = _scores(model, runs, alone, expected, bar)
    probes = _probes(model, runs[0])
    return Detector(model.content, model.inputs, scores, alone.raised_mm, full_scale, probes)


def _scores(
    model: Model,
    runs: list[list[Again]],
    alone: LeftOut,
    expected: tuple[ExpectedView, ...],
    bar: Bar,
) -> NominalScores:
    engine = open_cpu(model.content, THREADS)
    try:
        return nominal_scores(runs, alone.geometry, expected, engine, bar.step)
    finally:
        engine.close()


def _probes(model: Model, run: list[Again]) -> tuple[Probe, ...]:
    engine = open_cpu(model.content, THREADS)
    try:
        return probes_of(engine, [with_mark(again.inputs) for again in run[:PROBES]])
    finally:
        engine.close()


def _named(again: Again, names: tuple[str, ...]) -> dict[str, npt.NDArray[np.generic]]:
    return {name: again.inputs[name] for name in names}


def _noise_pairs(golden: Golden) -> list[tuple[Picture, Picture]]:
    rng = np.random.default_rng(SEED)
    return [(view.picture, disturbed(view.picture, rng)) for view in golden.views[:NOISE_PAIRS]]


def _manifest(
    golden: Golden,
    detector: Detector,
    name: str,
    version: str,
    backbone: Path | None,
    rendered: bool,
    smallest_mm: float | None,
) -> Manifest:
    return manifest_of(
        golden,
        name=name,
        version=version,
        method=METHOD if backbone is None else f"{METHOD}+backbone",
        provenance={"backbone": None if backbone is None else _described(backbone)},
        inputs=tuple(spec(name, golden) for name in detector.inputs),
        output=TensorSpec(name="score", dtype="float32", shape=(1, 1, *golden.rays.x.shape)),
        tolerance_mm=detector.tolerance_mm(rendered),
        raised_mm=None if rendered else detector.raised_mm,
        rendered=rendered,
        smallest_mm=smallest_mm,
    )


def _described(backbone: Path) -> dict[str, str]:
    return {"file": backbone.name, "sha256": sha256(backbone.read_bytes())}


def _summary(out: Path, parts: RecipeParts, working: Working) -> dict[str, Any]:
    fit = parts.threshold["fit"]
    return {
        "recipe": str(out),
        "channels": COLOURS if parts.manifest.in_colour else 1,
        "name": parts.manifest.name,
        "version": parts.manifest.version,
        "method": parts.manifest.method,
        "views": len(parts.plan.views),
        "expected_voxels": len(parts.expected_ijk),
        "table_z_mm": parts.manifest.grid.table_z_mm,
        "hides_mm2": parts.manifest.hides_mm2,
        "inspected": {**asdict(working), "words": working.words},
        "unmeasured_mm2": parts.threshold["unmeasured_mm2"],
        "grain": parts.threshold.get("grain"),
        "nominal_appearance": fit["appearance"],
        "nominal_geometry": fit["geometry"],
    }
