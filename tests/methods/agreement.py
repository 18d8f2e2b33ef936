"""What several tests of the methods do: hold a graph against its source, export, be refused."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from typer.testing import CliRunner

from voxgate.benchmarks.workstation.seeded.efficientad import public_networks
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.graph.half import to_half
from voxgate.export.graph.int8 import _quantised, quantized
from voxgate.export.graph.real_tensorrt import CARDS, builds
from voxgate.export.graph.tracing import RAW, trace
from voxgate.export.methods.efficientad.load import EfficientAdOptions
from voxgate.export.source import Source
from voxgate.runtime.cli import app
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.recipe.recipe import Recipe


def agree(source: Source, golden: Golden) -> float:
    """Largest error of the graph's map, of the map's maximum."""
    names = [tensor.name for tensor in source.inputs]
    inputs = next(iter(golden_inputs(golden, names, source.section)))
    session = ort.InferenceSession(trace(source).SerializeToString())
    (found,) = session.run([RAW], inputs)
    want = source.original(inputs)
    assert want.max() > 0
    return float(np.abs(found[0, 0] - want).max() / want.max())


def exported(arguments: tuple[str, ...], scans: Path, out: Path, *more: str) -> dict[str, Any]:
    """What `voxgate export ... --json` says."""
    verify = ["--verify", str(scans / "good"), "--verify", str(scans / "bad")]
    command = ["export", *arguments, "--scan", str(scans / "golden"), "--out", str(out)]
    done = CliRunner().invoke(app, [*command, *verify, "--json", *more])
    assert done.exit_code == 0, done.output + str(done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    assert "finds" in next(iter(found.get("cameras", {"": found}).values()))
    return found


def built_by_tensorrt(folder: Path) -> None:
    """The recipe's graphs, and the first one's reductions, by the real builder: no GPU is needed.

    FP32 for two kinds of card, each reduced one for one of them.
    """
    pytest.importorskip("tensorrt_rtx_bindings", reason="no wheel for this Python or processor")
    recipe = Recipe.load(folder)
    graph, samples = onnx.load_from_string(recipe.model), [p.inputs for p in recipe.probes]
    oldest, newest = CARDS
    for sm, model in product(CARDS, recipe.models):
        builds(onnx.load_from_string(model.model), f"{folder.name} {model.model_name} fp32", sm)
    builds(to_half(graph, samples=samples), f"{folder.name} fp16", oldest)
    if _quantised(graph, ()):  # volumes stay float: the export refuses INT8 for them
        builds(quantized(graph, samples), f"{folder.name} int8", newest)


def refused(scans: Path, out: Path, *arguments: str) -> str:
    """The one line that the command says no with."""
    command = ["export", *arguments, "--scan", str(scans / "golden"), "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, VoxGateError), done.output
    assert not out.exists()
    words = str(done.exception)
    assert "\n" not in words
    return words


def public_options(folder: Path, **more: object) -> EfficientAdOptions:
    given = public_networks(folder)
    files = {role[2:]: Path(path) for role, path in zip(given[::2], given[1::2], strict=True)}
    return EfficientAdOptions(**files, **more)  # type: ignore[arg-type]
