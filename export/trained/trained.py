"""A trained model becomes a recipe whose verdicts are the trained model's verdicts.

golden scan -> source model -> graph -> golden part seen again -> threshold -> precision
            -> parity with the source, maps and whole scans -> probes -> recipe

Every step is the same for all methods; what differs is `export.source.Source`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import onnx

from voxgate.export.features.weights_file import UNREADABLE
from voxgate.export.golden.gloss import Gloss, gloss
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.golden.left_out import left_out
from voxgate.export.golden.uninspected import picture
from voxgate.export.graph.half import to_half
from voxgate.export.graph.int8 import quantized
from voxgate.export.graph.tracing import raw_as_score, scaled, trace
from voxgate.export.packing.package import (
    RecipeParts,
    check_free,
    check_label,
    name_of,
    recipe_of,
    write_recipe,
)
from voxgate.export.packing.recipe_parts import expected_views, manifest_of, reference_views, tools
from voxgate.export.progress import Bar, Progress, silent
from voxgate.export.source import Source
from voxgate.export.trained.asked import THREADS, Exported, Options, megabytes_of
from voxgate.export.trained.budget import check_memory, check_time
from voxgate.export.trained.of_set import OfSet, graphs_of_set
from voxgate.export.trained.parity import PROBE_TOLERANCE, ParityTable, Precision, gate
from voxgate.export.trained.probes import proving_probes
from voxgate.export.trained.raw_threshold import (
    Threshold,
    given_threshold,
    nominal_maxima,
    nominal_threshold,
)
from voxgate.export.trained.reach import check_bound, check_reach
from voxgate.export.trained.samples import Sample, SeenAgain, compared, seen_again_samples
from voxgate.export.trained.whole_scans import part_scores, verdicts_of
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.text import one_line
from voxgate.runtime.comparison.register import TOLERANCE_MM
from voxgate.runtime.engines.engine import Engine
from voxgate.runtime.engines.onnxruntime_engine import open_cpu
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import Manifest, TensorSpec
from voxgate.runtime.recipe.sections.shapes import shape_fields

Load = Callable[[Golden, Progress], Source]


def export_trained(load: Load, options: Options, on_progress: Progress = silent) -> Exported:
    """Write the recipe of the model that `load` gives; see the head of this file.

    Raises ScanError, CalibrationError, RecipeError, or EngineError: a model that cannot be read,
    traced or built by TensorRT, or whose graph does not say what the model says.
    """
    check_free(options.out)
    bar = Bar(on_progress)
    bar.say("read the golden scan")
    whole = options.smallest_mm is None
    golden = load_golden(options.scan, options.calibration, options.smallest_mm, whole)
    name = options.name or name_of(golden.scan.calibration.part)
    check_label(name, options.version)
    source = _loaded(load, golden, on_progress)
    _check_precision(source, options.precision)
    if not source.in_colour:
        golden = golden.in_grey()
    bar.say("trace the graph")
    raw = trace(source)
    memory_mb = check_memory(raw, source.method, source.input_px, options.gpu_mb)
    options.check(raw, source.method)
    nominal = _see_again(golden, source, options.geometry, bar)
    bar.say("find the threshold")
    of_set = graphs_of_set(
        source, nominal.seen.runs[0], options.check, options.gpu_mb, options.precision
    )
    draft = _Draft(golden, source, nominal, options, name, memory_mb, of_set)
    threshold = _threshold(draft, raw, nominal.seen)
    bar.say("convert and compare with the source")
    graphs = _graphs(scaled(raw, threshold.raw), source, nominal.seen, options.precision)
    for kind, graph in graphs.items():
        options.check(graph, f"{source.method} {kind}")
    ms = _timed(graphs[options.precision], nominal.seen.runs[0][0], options.most_ms)
    parity = _proven(draft, graphs, threshold, nominal.seen)
    graph = graphs[options.precision]
    probes = _probes(graph, source, nominal.seen)
    parts = draft.parts(graph, threshold, probes, parity)
    bar.say("write the recipe")
    write_recipe(options.out, parts)
    bar.end()
    megabytes = megabytes_of(options.out)
    return Exported(megabytes, parts.manifest, threshold, parity, ms, memory_mb)


@dataclass(frozen=True, slots=True, eq=False)
class _Nominal:
    """The golden part put down again some times; raised_mm: see the manifest."""

    flicker: Gloss
    raised_mm: float | None
    seen: SeenAgain


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """A recipe in the making: everything of it but the model."""

    golden: Golden
    source: Source
    nominal: _Nominal
    options: Options
    name: str
    memory_mb: int
    of_set: OfSet

    def parts(
        self,
        graph: onnx.ModelProto,
        threshold: Threshold,
        probes: Sequence[Probe] = (),
        parity: ParityTable | None = None,
    ) -> RecipeParts:
        """The whole recipe with this graph; without probes it is good for inspections here."""
        manifest = self._manifest(parity)
        return RecipeParts(
            manifest=manifest,
            model=graph.SerializeToString(),
            plan=self.golden.plan,
            expected_ijk=self.golden.expected_ijk(),
            reference=reference_views(self.golden, self.nominal.flicker, manifest),
            probes=probes,
            threshold=threshold.record,
            uninspected=picture(self.golden),
            further=self.of_set.files,
        )

    def _manifest(self, parity: ParityTable | None) -> Manifest:
        source, options = self.source, self.options
        made = {**tools("torch"), **source.tools}
        return manifest_of(
            self.golden,
            name=self.name,
            version=options.version,
            method=source.method,
            inputs=source.inputs,
            output=_output(source, self.golden),
            provenance={
                **source.provenance,
                "memory_mb": self.memory_mb,
                "parity": [] if parity is None else parity.to_json(),
            },
            tolerance_mm=TOLERANCE_MM,
            tools=made,
            detector=source.detector,
            precision=options.precision,
            geometry=options.geometry,
            raised_mm=self.nominal.raised_mm,
            smallest_mm=options.smallest_mm,
            probe_tolerance=PROBE_TOLERANCE[options.precision],
            **shape_fields(source.section),
            voxels=source.voxels,
            **self.of_set.fields(source.method, made),
        )


# --- one function per step, in their order ------------------------------------------------------


def _loaded(load: Load, golden: Golden, on_progress: Progress) -> Source:
    """A library's complaint about what is in a file is one line, too."""
    try:
        return load(golden, on_progress)
    except UNREADABLE as error:
        raise EngineError(
            f"the model cannot be built from what its files say: {one_line(error)}"
        ) from error


def _check_precision(source: Source, precision: Precision) -> None:
    """Raises EngineError where nobody held it against the model."""
    if source.together is not None and precision == "int8":
        raise EngineError(
            f"{source.method}: what sees the views and holds them against each other is FP32 or "
            "FP16: choose --precision fp16"
        )


def _see_again(golden: Golden, source: Source, geometry: bool, bar: Bar) -> _Nominal:
    flicker = gloss(golden.views, golden.rays, golden.table_z_mm, golden.unreturned.depth_mm)
    bar.begin(2 * len(golden.views))
    expected = expected_views(golden, flicker, bar)
    raised_mm = None
    if geometry:
        bar.say("leave views out")
        with Crew(THREADS) as crew:
            raised_mm = left_out(golden, expected, flicker, crew).raised_mm
    bar.say("see the golden part again")
    return _Nominal(flicker, raised_mm, seen_again_samples(golden, expected, source, bar))


def _threshold(draft: _Draft, raw: onnx.ModelProto, seen: SeenAgain) -> Threshold:
    found = _found_threshold(draft, raw, seen)
    check_bound(found.raw, draft.source)
    with closing(_engine(scaled(raw, found.raw))) as engine:
        check_reach(engine, found.raw, draft.source, seen.runs[-1], seen.strange)
    return found


def _found_threshold(draft: _Draft, raw: onnx.ModelProto, seen: SeenAgain) -> Threshold:
    options, runs = draft.options, seen.runs
    with closing(_engine(raw_as_score(raw))) as engine:
        maxima = nominal_maxima(runs, engine, draft.source)
    if options.threshold is None:
        found = nominal_threshold(maxima, len(runs[0]), draft.source)
    else:
        found = given_threshold(options.threshold, maxima)
    if not options.good:
        return found
    graph = scaled(raw, found.raw)
    recipe = recipe_of(draft.parts(graph, found))
    with closing(_engine(graph)) as engine, draft.of_set.opened() as further:
        scores = part_scores(options.good, recipe, engine, options.calibration, further)
    return found.raised_to(scores) if options.threshold is None else found.above(scores)


def _graphs(
    graph: onnx.ModelProto, source: Source, seen: SeenAgain, precision: Precision
) -> dict[Precision, onnx.ModelProto]:
    """The FP32 graph, and the reduced one if asked for: its ranges are those of the golden part,
    of a flaw on it and of other light, lest a defect be cut off at what good parts give."""
    graphs: dict[Precision, onnx.ModelProto] = {"fp32": graph}
    inputs = [sample.inputs for sample in (*seen.runs[0], *seen.teaching)]
    if precision == "fp16":
        graphs["fp16"] = to_half(graph, source.keep_float32, inputs)
    elif precision == "int8":
        graphs["int8"] = quantized(graph, inputs, source.keep_float32)
    return graphs


def _timed(graph: onnx.ModelProto, sample: Sample, most_ms: float | None) -> float:
    with closing(_engine(graph)) as engine:
        return check_time(engine, sample, THREADS, most_ms)


def _proven(
    draft: _Draft,
    graphs: Mapping[Precision, onnx.ModelProto],
    threshold: Threshold,
    seen: SeenAgain,
) -> ParityTable:
    options = draft.options
    recipe = recipe_of(draft.parts(graphs["fp32"], threshold))
    scans = (options.scan, *options.good, *options.verify)

    def inspections(engine: Engine, precision: Precision | None) -> Any:
        with draft.of_set.opened(precision) as further:
            return verdicts_of(scans, recipe, engine, options.calibration, further)

    samples, strange = compared(seen)
    return gate(draft.source, threshold.raw, graphs, samples, inspections, strange=strange)


def _probes(graph: onnx.ModelProto, source: Source, seen: SeenAgain) -> tuple[Probe, ...]:
    with closing(_engine(graph)) as engine:
        return proving_probes(engine, source, seen)


def _engine(graph: onnx.ModelProto) -> Engine:
    return open_cpu(graph.SerializeToString(), THREADS)


def _output(source: Source, golden: Golden) -> TensorSpec:
    if source.voxels is not None:
        shape: tuple[int, ...] = (1, 1, *(source.voxels.cells,) * 3)
    else:
        shape = (1, 1, *golden.rays.x.shape)
    return TensorSpec(name="score", dtype="float32", shape=shape)
