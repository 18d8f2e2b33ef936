"""What a method's exporter traces, in every form, is built by the real TensorRT for two cards."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner

from tests.methods.test_every_method import is_quick, small_cases
from voxgate.benchmarks.workstation.case import MODULES, Case
from voxgate.benchmarks.workstation.published import in_int8
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT
from voxgate.export.graph.half import to_half
from voxgate.export.graph.int8 import _quantised
from voxgate.export.graph.real_tensorrt import CARDS, builds
from voxgate.runtime.cli import app
from voxgate.runtime.errors import EngineError

OF_SEVERAL_FORMS = (
    "patchcore",
    "efficientad",
    "uninet",
    "btf",
    "variation",
    "autoencoder",
    "anogan",
)
"""Those that are built by day; of cfm and m3dm all are transformers."""


class Traced(EngineError):
    """Ends an export where its graph is there: what follows asks nothing of TensorRT."""


def graph_of(case: Case, scan: Path) -> onnx.ModelProto:
    """As the command traces it, before anything is scored."""
    graphs = []

    def stop(model: onnx.ModelProto, _: str) -> None:
        graphs.append(model)
        raise Traced

    command = ["export", *case.arguments, "--scan", str(scan), "--out", str(scan / "nowhere")]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("voxgate.export.graph.real_tensorrt.graph_check", lambda *_: stop)
        done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, Traced), done.output + str(done.exception)
    return graphs[0]


def build_all(case: Case, scan: Path) -> None:
    graph = graph_of(case, scan)
    forms = {"fp32": graph, "fp16": to_half(graph)}
    if _quantised(graph, ()):  # volumes stay float: the export refuses INT8 for them
        forms["int8"] = in_int8(graph)
    for (precision, model), sm in product(forms.items(), CARDS):
        builds(model, f"{case.name}, {precision}", sm)


def is_transformer(case: Case) -> bool:
    """TensorRT takes half a minute for the six plans of each."""
    return SMALL_VIT in case.arguments


@pytest.mark.timeout(600)
@pytest.mark.parametrize("module", OF_SEVERAL_FORMS)
def test_another_form_of_a_method_is_not_built(
    module: str, small_scans: Path, tmp_path: Path
) -> None:
    """The first of each is built by `test_every_method`."""
    pytest.importorskip("tensorrt_rtx_bindings", reason="no wheel for this Python or processor")
    golden = small_scans / "golden"
    cases = small_cases(module, tmp_path, golden)
    by_whole_export = [case for case in cases if is_quick(case)][:1]
    others = [case for case in cases if case not in by_whole_export and not is_transformer(case)]
    assert others
    for case in others:
        build_all(case, golden)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("module", MODULES)
def test_a_form_is_not_built_in_every_precision_for_both_cards(
    module: str, small_scans: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorrt_rtx_bindings", reason="no wheel for this Python or processor")
    for case in small_cases(module, tmp_path, small_scans / "golden"):
        build_all(case, small_scans / "golden")
