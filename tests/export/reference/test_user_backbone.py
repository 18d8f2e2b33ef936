"""A user's network in the comparison: accepted in the usual shapes, refused with what to change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from voxgate.export.golden.disturbance import disturbed
from voxgate.export.reference.user_backbone import backbone_graph, load_backbone
from voxgate.runtime.errors import EngineError

SIZE_PX = (64, 80)
CHANNELS = 16
Picture = npt.NDArray[np.uint8]


def _network(
    folder: Path,
    *,
    channels: int = 3,
    size: tuple[str | int, str | int] = ("h", "w"),
    dtype: int = TensorProto.FLOAT,
    opset: int = 17,
    pooled: bool = False,
    inputs: int = 1,
) -> Path:
    """Random 5x5 filters with a rectifier, stride 2: a backbone of one layer."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.2, (CHANNELS, channels, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["float", "w"], ["c"], strides=[2, 2], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["c"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["vector"]),
    ]
    output, rank = ("vector", 2) if pooled else ("map", 4)
    graph = helper.make_graph(
        nodes,
        "backbone",
        [
            helper.make_tensor_value_info(name, dtype, [1, channels, *size])
            for name in ("x", "y")[:inputs]
        ],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path = folder / "backbone.onnx"
    onnx.save(model, path)
    return path


def _golden() -> Picture:
    rng = np.random.default_rng(1)
    return np.clip(rng.normal(120, 6, SIZE_PX), 0, 255).astype(np.uint8)


def _graph(path: Path) -> onnx.ModelProto:
    golden = _golden()
    pairs = [(golden, disturbed(golden, np.random.default_rng(seed))) for seed in range(2)]
    return backbone_graph(load_backbone(path), SIZE_PX, 6.0, pairs)


def _score(model: onnx.ModelProto, image: Picture) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    golden = _golden()
    planes = {"image": image, "reference": golden, "gloss": np.zeros_like(golden)}
    planes = {name: plane[None, None] for name, plane in planes.items()}
    (found,) = session.run(None, planes)
    return np.asarray(found[0, 0], np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.UINT8])
def test_a_mark_is_found_and_light_is_not(tmp_path: Path, channels: int, dtype: int) -> None:
    model = _graph(_network(tmp_path, channels=channels, dtype=dtype))
    marked = _golden()
    marked[24:40, 24:40] = 30
    assert _score(model, marked)[32, 32] > 1
    assert _score(model, disturbed(_golden(), np.random.default_rng(9))).max() < 1


def test_a_fixed_input_size_is_resized_to(tmp_path: Path) -> None:
    model = _graph(_network(tmp_path, size=(32, 48)))
    assert _score(model, _golden()).shape == SIZE_PX


@pytest.mark.parametrize("opset", [13, 19])
def test_other_opsets_are_accepted(tmp_path: Path, opset: int) -> None:
    assert _score(_graph(_network(tmp_path, opset=opset)), _golden()).max() == 0


def test_weights_are_stored_once(tmp_path: Path) -> None:
    model = _graph(_network(tmp_path))
    assert [weight.name for weight in model.graph.initializer].count("w") == 1


def test_a_pooled_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="feature map"):
        _graph(_network(tmp_path, pooled=True))


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="one input"):
        load_backbone(_network(tmp_path, inputs=2))


def test_four_colours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="1 or 3"):
        load_backbone(_network(tmp_path, channels=4))


def test_a_file_that_is_no_onnx_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "backbone.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(EngineError, match="not a readable ONNX file") as error:
        load_backbone(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not a readable ONNX file"):
        load_backbone(tmp_path / "none.onnx")
