"""The default detector: ONE golden scan becomes a recipe, on a CPU, without any weights.

golden scan -> views with poses -> gloss -> seen again under other placement, light and noise
            -> graph (filter bank, or a backbone of the user's) -> threshold -> recipe
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from export import backbone as user_backbone
from export import filter_bank
from export.disturbance import disturbed
from export.gloss import Gloss, gloss
from export.golden import Golden, load_golden
from export.nominal import (
    REPEATS,
    SEED,
    Again,
    NominalScores,
    Scores,
    left_out_scores,
    nominal_scores,
    seen_again_inputs,
)
from export.package import (
    RecipeParts,
    ReferenceViews,
    check_free,
    check_label,
    name_of,
    write_recipe,
)
from runtime import __version__
from runtime.crew import Crew
from runtime.engine import score_map
from runtime.engine_onnxruntime import open_cpu
from runtime.expected import ExpectedView, expect
from runtime.manifest import GridSection, Manifest, TensorSpec
from runtime.nouns import GreyImage
from runtime.recipe import Probe, sha256
from runtime.register import TOLERANCE_MM
from runtime.wall_clock import utc_now

METHOD = "reference"
# Score 1.0 in tolerances. A tolerance is one sigma of what good parts differ by; a part shows some
# 10^6 pixels, of which noise alone takes one beyond 5 sigma, and one sigma is kept in hand.
FULL_SCALE = 6.0
NOISE_PAIRS = 3  # golden views on which a backbone's noise is measured: a quarter of a ring
PROBES = 2
THREADS = 2

Progress = Callable[[int, int, str], None]


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
    full_scale: float
    probes: tuple[Probe, ...]

    @property
    def tolerance_mm(self) -> float:
        """Deviation that scores 1.0: the usual one, or what this sensor's noise demands."""
        return TOLERANCE_MM * max(1.0, self.scores.expected_deviation)


def export_reference_recipe(
    scan: Path,
    out: Path,
    *,
    name: str | None = None,
    version: str = "1",
    backbone: Path | None = None,
    calibration: Path | None = None,
    on_progress: Progress = lambda done, of, what: None,
) -> dict[str, Any]:
    """Write the recipe folder `out` from one golden scan; returns a summary for people and JSON.

    on_progress(done, of, what) is called as the work goes on. Raises ScanError, CalibrationError,
    EngineError (a backbone that cannot be used) or RecipeError (`out` exists).
    """
    check_free(out)
    bar = _Bar(on_progress)
    bar.say("read the golden scan")
    golden = load_golden(scan, calibration)
    name = name or name_of(golden.scan.calibration.part)
    check_label(name, version)
    bar.begin(len(golden.views))
    parts = build_parts(golden, name=name, version=version, backbone=backbone, bar=bar)
    bar.say("write the recipe")
    write_recipe(out, parts)
    bar.end()
    return _summary(out, parts)


def build_parts(
    golden: Golden,
    *,
    name: str,
    version: str = "1",
    backbone: Path | None = None,
    bar: _Bar | None = None,
) -> RecipeParts:
    """Everything of the recipe, in memory. Raises as `export_reference_recipe` does."""
    bar = bar or _Bar(lambda done, of, what: None)
    bar.say("gloss")
    flicker = gloss(golden.views, golden.rays, golden.table_z_mm)
    expected = _expected(golden, flicker, bar)
    detector = _detector(golden, expected, flicker, _modeller(golden, backbone), bar)
    manifest = _manifest(golden, detector, name, version, backbone)
    return RecipeParts(
        manifest=manifest,
        model=detector.model,
        plan=golden.plan,
        expected_ijk=golden.expected_ijk(),
        reference=_reference(golden, flicker),
        probes=detector.probes,
        threshold=detector.scores.record(detector.full_scale, detector.tolerance_mm),
    )


class _Bar:
    """Counts steps for a progress bar: each view is fitted once and seen again REPEATS times."""

    def __init__(self, on_progress: Progress) -> None:
        self._report = on_progress
        self._done, self._of, self._what = 0, 1, ""

    def begin(self, views: int) -> None:
        self._of = views * (1 + 2 * REPEATS)

    def say(self, what: str) -> None:
        self._what = what
        self._report(self._done, self._of, what)

    def step(self) -> None:
        self._done = min(self._done + 1, self._of)
        self._report(self._done, self._of, self._what)

    def end(self) -> None:
        self._report(self._of, self._of, "done")


# --- one function per step, in their order ------------------------------------------------------


def _expected(golden: Golden, flicker: Gloss, bar: _Bar) -> tuple[ExpectedView, ...]:
    bar.say("fit the golden surface")
    found = []
    for view, shine in zip(golden.views, flicker.grey, strict=True):
        assert view.depth_mm is not None  # load_golden refuses a scan without
        pose, table = view.part_from_camera, golden.table_z_mm
        found.append(expect(view.image, view.depth_mm, golden.rays, pose, table, gloss=shine))
        bar.step()
    return tuple(found)


def _modeller(golden: Golden, backbone: Path | None) -> Callable[[float], Model]:
    """The graph as a function of its scale."""
    size_px = golden.rays.x.shape[0], golden.rays.x.shape[1]
    if backbone is None:
        return lambda scale: Model(filter_bank.filter_bank(size_px, scale), filter_bank.INPUTS)
    network = user_backbone.load_backbone(backbone)
    pairs = _noise_pairs(golden)
    return lambda scale: Model(
        user_backbone.backbone_graph(network, size_px, scale, pairs), user_backbone.INPUTS
    )


def _detector(
    golden: Golden,
    expected: tuple[ExpectedView, ...],
    flicker: Gloss,
    model_of: Callable[[float], Model],
    bar: _Bar,
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
        left_out = left_out_scores(golden, expected, flicker.shared, crew)
    bar.say("score it")
    return _scaled(model_of, runs, left_out, expected, bar)


def _scaled(
    model_of: Callable[[float], Model],
    runs: list[list[Again]],
    left_out: Scores,
    expected: tuple[ExpectedView, ...],
    bar: _Bar,
) -> Detector:
    model = model_of(FULL_SCALE)
    runs = [[Again(_named(again, model.inputs), again.registered) for again in r] for r in runs]
    scores = _scores(model, runs, left_out, expected, bar)
    full_scale = FULL_SCALE * max(1.0, scores.expected_max)
    if full_scale > FULL_SCALE:
        model = model_of(full_scale)
        scores = _scores(model, runs, left_out, expected, bar)
    probes = _probes(model, runs[0])
    return Detector(model.content, model.inputs, scores, full_scale, probes)


def _scores(
    model: Model,
    runs: list[list[Again]],
    left_out: Scores,
    expected: tuple[ExpectedView, ...],
    bar: _Bar,
) -> NominalScores:
    engine = open_cpu(model.content, THREADS)
    try:
        return nominal_scores(runs, left_out, expected, engine, bar.step)
    finally:
        engine.close()


def _probes(model: Model, run: list[Again]) -> tuple[Probe, ...]:
    """Golden inputs with a mark on them, so that scores beyond the threshold are compared too."""
    engine = open_cpu(model.content, THREADS)
    try:
        inputs = [_marked(again.inputs) for again in run[:PROBES]]
        return tuple(Probe(dict(i), score_map(engine, dict(i)).score) for i in inputs)
    finally:
        engine.close()


def _marked(inputs: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.generic]]:
    image = np.array(inputs["image"], np.uint8)
    height, width = image.shape[2:]
    centre = (width // 2, height // 2)
    cv2.circle(image[0, 0], centre, max(2, height // 60), 0, thickness=-1)
    return {**inputs, "image": image}


def _named(again: Again, names: tuple[str, ...]) -> dict[str, npt.NDArray[np.generic]]:
    return {name: again.inputs[name] for name in names}


def _noise_pairs(golden: Golden) -> list[tuple[GreyImage, GreyImage]]:
    rng = np.random.default_rng(SEED)
    return [(view.image, disturbed(view.image, rng)) for view in golden.views[:NOISE_PAIRS]]


def _reference(golden: Golden, flicker: Gloss) -> ReferenceViews:
    unit_mm = golden.scan.calibration.depth_unit_mm
    depth = np.stack([view.depth_mm for view in golden.views if view.depth_mm is not None])
    return ReferenceViews(
        image=np.stack([view.image for view in golden.views]),
        depth_counts=np.rint(np.nan_to_num(depth) / unit_mm).astype(np.uint16),
        depth_unit_mm=unit_mm,
        part_from_camera=np.stack([view.part_from_camera for view in golden.views]),
        gloss=flicker.grey,
    )


def _manifest(
    golden: Golden, detector: Detector, name: str, version: str, backbone: Path | None
) -> Manifest:
    height, width = golden.rays.x.shape
    shape = (1, 1, height, width)
    grid = golden.grid
    return Manifest(
        schema_version=1,
        name=name,
        version=version,
        part=golden.scan.calibration.part,
        method=METHOD if backbone is None else f"{METHOD}+backbone",
        detector="view",
        created_utc=utc_now(),
        tools=_tools(),
        provenance={
            "golden_scan": golden.scan.folder.name,
            "views": len(golden.views),
            "backbone": None if backbone is None else _described(backbone),
        },
        calibration_digest=golden.scan.calibration.digest,
        inputs=tuple(TensorSpec(name=i, dtype="uint8", shape=shape) for i in detector.inputs),
        output=TensorSpec(name="score", dtype="float32", shape=shape),
        grid=GridSection(
            origin_mm=grid.origin_mm,
            shape=grid.shape,
            voxel_mm=grid.voxel_mm,
            table_z_mm=golden.table_z_mm,
        ),
        tolerance_mm=detector.tolerance_mm,
        files={},
    )


def _tools() -> dict[str, str]:
    return {
        "voxgate": __version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _described(backbone: Path) -> dict[str, str]:
    return {"file": backbone.name, "sha256": sha256(backbone.read_bytes())}


def _summary(out: Path, parts: RecipeParts) -> dict[str, Any]:
    fit = parts.threshold["fit"]
    return {
        "recipe": str(out),
        "name": parts.manifest.name,
        "version": parts.manifest.version,
        "method": parts.manifest.method,
        "views": len(parts.plan.views),
        "expected_voxels": len(parts.expected_ijk),
        "nominal_appearance": fit["appearance"],
        "nominal_geometry": fit["geometry"],
    }
