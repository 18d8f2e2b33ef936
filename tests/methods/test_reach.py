"""A threshold above anything the model can say would pass every part: such a recipe is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.methods.agreement import exported, public_options, refused
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone
from voxgate.export.golden.golden import Golden
from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.export.methods.efficientad.load import EfficientAdOptions, load_efficientad
from voxgate.export.methods.m3dm import M3dmOptions, load_m3dm
from voxgate.export.progress import silent
from voxgate.export.source import Source
from voxgate.export.trained.raw_threshold import given_threshold
from voxgate.export.trained.reach import check_bound
from voxgate.runtime.errors import EngineError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.offline.inspect_scan import inspect_folder

SHAPE = [1, 1, 150, 200]


def own_onnx(path: Path, build: Callable[[GraphBuilder, str], str]) -> Path:
    """image -> float -> what `build` makes of it."""
    graph = GraphBuilder()
    score = build(graph, graph.to_float("image"))
    model = graph.model(
        [helper.make_tensor_value_info("image", TensorProto.UINT8, SHAPE)],
        [helper.make_tensor_value_info(score, TensorProto.FLOAT, SHAPE)],
    )
    onnx.save(model, path)
    return path


def test_the_voxel_variation_model_rejects_the_bad_part(small_scans: Path, tmp_path: Path) -> None:
    exported(("variation", "--shape", "voxel", "--colour"), small_scans, tmp_path / "recipe")
    found = inspect_folder(small_scans / "bad", tmp_path / "recipe").verdict
    assert found.outcome is not Outcome.PASS
    assert found.score is not None
    assert found.score > 1.2


@pytest.mark.parametrize("raw", [1e60, 1e-40, 0.0, -1.0, float("nan")])
def test_a_threshold_that_float32_cannot_hold_is_refused(raw: float) -> None:
    with pytest.raises(EngineError, match="from 1e-30 to"):
        given_threshold(raw, np.ones(3))


def test_a_map_below_zero_is_refused_whatever_the_threshold(
    small_scans: Path, tmp_path: Path
) -> None:
    own = own_onnx(tmp_path / "negative.onnx", lambda graph, grey: graph.op("Neg", grey))
    words = refused(small_scans, tmp_path / "out", "onnx", str(own), "--threshold", "1")
    assert "every part would pass" in words
    assert "marked, brighter" in words


def test_a_model_that_does_not_look_is_refused(small_scans: Path, tmp_path: Path) -> None:
    def blind(graph: GraphBuilder, grey: str) -> str:
        pattern = np.random.default_rng(0).random(SHAPE, np.float32)
        return graph.sum(graph.scaled(grey, 0.0), graph.constant(pattern))

    own = own_onnx(tmp_path / "blind.onnx", blind)
    words = refused(small_scans, tmp_path / "out", "onnx", str(own), "--threshold", "0.5")
    assert "does not look" in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"q_st": [0.2, 0.0]}, "q_st is 0.2, 0"),
        ({"q_ae": [0.01, 0.01]}, "q_ae is"),
        ({"std": np.zeros(32)}, "std must be positive"),
        ({"std": np.ones(31)}, "std is of 31 channels"),
        ({"mean": np.full(32, np.nan)}, "mean holds numbers that are not finite"),
    ],
)
def test_a_normalisation_that_turns_the_score_over_is_refused(
    changes: dict[str, object], words: str, small_golden: Golden, tmp_path: Path
) -> None:
    arrays = {"mean": np.zeros(32), "std": np.ones(32), "q_st": [0.0, 0.2], "q_ae": [0.0, 0.01]}
    file = tmp_path / "normalisation.npz"
    np.savez(file, **{**arrays, **changes})  # type: ignore[arg-type]
    given: EfficientAdOptions = public_options(tmp_path, normalisation=file)
    with pytest.raises(EngineError, match=words):
        load_efficientad(small_golden, given)


def test_an_svm_that_rewards_distance_is_refused(small_golden: Golden, tmp_path: Path) -> None:
    weights = save_backbone(SMALL_VIT, tmp_path / "w.pth")
    np.savez(tmp_path / "svm.npz", coef=[[1.0, -0.5]], offset=[0.2])
    options = M3dmOptions(weights, SMALL_VIT, svm=tmp_path / "svm.npz", input_px=96)
    with pytest.raises(EngineError, match="negative"):
        load_m3dm(small_golden, options, silent)


def test_a_threshold_close_to_the_most_a_model_can_say_is_refused() -> None:
    def original(_: object) -> object:
        raise AssertionError("nothing is run")

    source = Source("bounded", (), None, original, {}, bound=10.0)  # type: ignore[arg-type]
    check_bound(8.9, source)
    for raw in (9.5, 10.063, float("nan")):
        with pytest.raises(EngineError, match="the most this model can say"):
            check_bound(raw, source)


def test_a_good_part_over_the_given_threshold_is_told() -> None:
    found = given_threshold(2.0, np.ones(3))
    assert found.above({"good": 0.8}).record["good_parts"] == {"good": 0.8}
    with pytest.raises(EngineError, match=r"scores 1\.3 of the threshold that was given, raw 2\.6"):
        found.above({"good": 1.3})
