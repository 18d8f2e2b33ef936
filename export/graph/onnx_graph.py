"""Write an ONNX graph, one line per operation; only what TensorRT and OpenVINO build too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.compose
from onnx import TensorProto, helper, numpy_helper

OPSET = 17  # the newest that TensorRT 8.6, the oldest we serve, reads completely
IR_VERSION = 9  # onnxruntime 1.17 and later read it


class GraphBuilder:
    """Collects nodes and constants; every method returns the name of the tensor it makes.

    Tensors are float32 (1, c, h, w) unless said otherwise. Border pixels repeat or are left out of
    a mean: a picture has no black frame.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Any operator with one output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: npt.ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        """A constant tensor."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def to_float(self, x: str) -> str:
        """uint8 to float32."""
        return self.op("Cast", x, to=TensorProto.FLOAT)

    def square(self, x: str) -> str:
        """x * x."""
        return self.op("Mul", x, x)

    def scaled(self, x: str, factor: float) -> str:
        """factor * x."""
        return self.op("Mul", x, self.constant(factor))

    def sum(self, first: str, *others: str) -> str:
        """Sum of tensors."""
        for other in others:
            first = self.op("Add", first, other)
        return first

    def box(self, x: str, size: int) -> str:
        """Mean over size x size pixels, size odd; two in a row are close to a Gaussian."""
        return self._mean(x, size, pads=[size // 2] * 4, count_include_pad=0)

    def boxes(self, x: str, sizes: Sequence[int]) -> str:
        """Box means one after the other: variance (size^2 - 1) / 12 each."""
        for size in sizes:
            x = self.box(x, size)
        return x

    def shrink(self, x: str, factor: int) -> str:
        """Mean of factor x factor blocks; h and w are multiples of the factor."""
        return x if factor == 1 else self._mean(x, factor, strides=[factor, factor])

    def grow(self, x: str, channels: int, size_px: tuple[int, int]) -> str:
        """Linear interpolation of (1, channels, h, w) to size_px (h, w)."""
        sizes = self.constant([1, channels, *size_px], np.int64)
        return self.op(
            "Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode="half_pixel"
        )

    def channel_mean(self, x: str, channels: int) -> str:
        """Mean over channels, (1, 1, h, w)."""
        if channels == 1:
            return x
        total = self.op("ReduceSum", x, *self._ints([1]), keepdims=1)
        return self.scaled(total, 1.0 / channels)

    def slopes(self, x: str) -> tuple[str, str]:
        """Central differences along x and y, per pixel."""
        across = self._pad(x, (0, 1))
        down = self._pad(x, (1, 0))
        return self._half_difference(across, axis=3), self._half_difference(down, axis=2)

    def opening(self, x: str, size: int) -> str:
        """Minimum, then maximum over size x size: what is smaller than the window vanishes.

        An even window has no middle pixel: the second looks the other way.
        """
        before, after = (size - 1) // 2, size // 2
        least = self._maximum(self.op("Neg", x), size, before, after)
        return self._maximum(self.op("Neg", least), size, after, before)

    def largest(self, x: str, size: int) -> str:
        """Maximum over size x size pixels, size odd."""
        return self._maximum(x, size, size // 2, size // 2)

    def padded(self, x: str, bottom: int, right: int) -> str:
        """Repeat the last row and column."""
        if bottom == right == 0:
            return x
        pads = self.constant([0, 0, 0, 0, 0, 0, bottom, right], np.int64)
        return self.op("Pad", x, pads, mode="edge")

    def cropped(self, x: str, size_px: tuple[int, int]) -> str:
        """The top left size_px (h, w)."""
        return self.op("Slice", x, *self._ints([0, 0], list(size_px), [2, 3]))

    def include(self, network: onnx.ModelProto, picture: str, prefix: str) -> list[str]:
        """Run a network of one input on `picture`; its weights are stored once for all copies."""
        copy = onnx.compose.add_prefix_graph(network.graph, prefix, rename_initializers=False)
        self.nodes.append(helper.make_node("Identity", [picture], [copy.input[0].name]))
        self.nodes.extend(copy.node)
        known = {constant.name for constant in self.constants}
        self.constants.extend(w for w in network.graph.initializer if w.name not in known)
        return [output.name for output in copy.output]

    def model(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        opset: int = OPSET,
    ) -> onnx.ModelProto:
        """The checked model. Raises onnx.checker.ValidationError for a malformed graph."""
        graph = helper.make_graph(self.nodes, "voxgate", inputs, outputs, self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=IR_VERSION,
            producer_name="voxgate",
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _mean(self, x: str, size: int, **attributes: Any) -> str:
        return self.op("AveragePool", x, kernel_shape=[size, size], **attributes)

    def _maximum(self, x: str, size: int, before: int, after: int) -> str:
        pads = [before, before, after, after]
        return self.op("MaxPool", x, kernel_shape=[size, size], pads=pads)

    def _pad(self, x: str, margin: tuple[int, int]) -> str:
        pads = self.constant([0, 0, *margin, 0, 0, *margin], np.int64)
        return self.op("Pad", x, pads, mode="edge")

    def _half_difference(self, x: str, axis: int) -> str:
        ahead = self.op("Slice", x, *self._ints([2], [np.iinfo(np.int64).max], [axis]))
        behind = self.op("Slice", x, *self._ints([0], [-2], [axis]))
        return self.scaled(self.op("Sub", ahead, behind), 0.5)

    def _ints(self, *lists: Sequence[int]) -> list[str]:
        return [self.constant(list(values), np.int64) for values in lists]
