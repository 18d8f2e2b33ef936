"""Models that were trained on colour get colour; those that were not get the luma of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from typer.testing import CliRunner

from tests.kits.painted import CAP_MM, painted_bracket
from voxgate.export.features.anomalib_preprocessing import Preprocess
from voxgate.export.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Picture
from voxgate.export.features.published_steps import picture_planes, published_picture
from voxgate.export.golden.golden import load_golden
from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.methods.onnx_file import load_onnx_file
from voxgate.runtime.cli import app
from voxgate.runtime.errors import EngineError
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.recipe import Recipe

SIZE_PX, SIDE_PX = (60, 80), (32, 32)


def luma(picture: torch.Tensor) -> torch.Tensor:
    """(1, 3, h, w) -> (1, 1, h, w), by ITU-R BT.601."""
    weights = torch.tensor([0.299, 0.587, 0.114])
    return (picture * weights[None, :, None, None]).sum(dim=1, keepdim=True)


def _apart(path: Path, channels: int) -> Path:
    """A graph: by how much picture and golden picture differ, in the colour that differs most."""
    graph, size = GraphBuilder(), load_golden(painted_bracket() / "golden").rays.x.shape
    difference = graph.op("Sub", graph.to_float("image"), graph.to_float("reference"))
    apart = graph.box(graph.op("ReduceMax", graph.op("Abs", difference), axes=[1]), 5)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, [1, channels, *size])
        for name in ("image", "reference")
    ]
    score = helper.make_tensor_value_info(apart, TensorProto.FLOAT, [1, 1, *size])
    onnx.save(graph.model(inputs, [score]), path)
    return path


@pytest.mark.parametrize(("channels", "expected"), [(3, "FAIL"), (1, "PASS")])
def test_a_graph_gets_as_many_channels_as_it_takes(
    channels: int, expected: str, tmp_path: Path
) -> None:
    """At one threshold for both: hue alone differs, the luma does not."""
    model, recipe = _apart(tmp_path / "apart.onnx", channels), tmp_path / "recipe"
    golden = painted_bracket() / "golden"
    asked = ["export", "onnx", str(model), "--scan", str(golden), "--threshold", "45"]
    done = CliRunner().invoke(app, [*asked, "--out", str(recipe), "--json"])
    assert done.exit_code == 0, done.output + str(done.exception)
    assert Recipe.load(recipe).manifest.in_colour is (channels == 3)
    assert inspect_folder(painted_bracket() / "good", recipe).verdict.outcome == "PASS"
    verdict = inspect_folder(painted_bracket() / "red_cap", recipe).verdict
    assert verdict.outcome == expected
    if verdict.defects:
        beside_mm = np.array(verdict.defects[0].centroid_part_mm[:2]) - CAP_MM[:2]
        assert np.hypot(*beside_mm) < 6


def test_a_graph_that_sees_colour_is_exported_from_a_grey_golden_scan(
    small_scans: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"input image is uint8 \[1, 3, .* hands uint8 \[1, 1,"):
        load_onnx_file(load_golden(small_scans / "golden"), _apart(tmp_path / "a.onnx", 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_graphs_picture_is_not_what_the_library_makes_of_it(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, channels, *SIZE_PX), dtype=np.uint8)
    steps = Preprocess(SIDE_PX, True, IMAGENET_MEAN, IMAGENET_STD)
    ours = Picture(SIZE_PX, SIDE_PX)(torch.from_numpy(image))
    theirs = published_picture(picture_planes(image), steps)
    assert float((ours - theirs).abs().max()) < 1e-5
    grey = Picture(SIZE_PX, SIDE_PX, mean=None, channels=1)(torch.from_numpy(image))
    plain = Preprocess(SIDE_PX, True, None, (1.0,))
    assert float((grey - luma(published_picture(picture_planes(image), plain))).abs().max()) < 1e-5
