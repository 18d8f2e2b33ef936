"""A graph of somebody's own: how much darker or lighter than its surroundings a pixel is."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from voxgate.benchmarks.workstation.case import Case, at
from voxgate.export.graph.onnx_graph import GraphBuilder
from voxgate.runtime.scans.open_scan import open_scan

WINDOW_PX = 9


def cases(folder: Path, scan: Path) -> list[Case]:
    calibration = open_scan(scan).calibration
    path = folder / "contrast.onnx"
    onnx.save(contrast(calibration.height_px, calibration.width_px), path)
    return [
        Case("onnx", ("onnx", str(path), *at(100.0))),
        Case("any ONNX", ("onnx", str(path), *at(100.0)), small=False, source="ONNX file"),
    ]


def contrast(height: int, width: int) -> onnx.ModelProto:
    """image uint8 -> |image - mean around|, float32, of the same size."""
    graph = GraphBuilder()
    grey = graph.to_float("image")
    score = graph.op("Abs", graph.op("Sub", grey, graph.box(grey, WINDOW_PX)))
    shape = [1, 1, height, width]
    return graph.model(
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(score, TensorProto.FLOAT, shape)],
    )
