"""An engine that says something else where it matters is not proven by the recipe's probes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import numpy_helper

from tests.methods.agreement import exported
from voxgate.runtime.engines.engine import Tensor, prove
from voxgate.runtime.engines.onnxruntime_engine import OnnxRuntimeEngine, open_cpu
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.recipe import Recipe

Output = npt.NDArray[np.float32]


class Wrong(OnnxRuntimeEngine):
    """The recipe's engine, spoilt."""

    def __init__(self, model: bytes, spoil: Callable[[Output], Output]) -> None:
        super().__init__(model, "CPUExecutionProvider", 1)
        self.spoil = spoil

    def run(self, inputs: dict[str, Tensor]) -> Output:
        return self.spoil(super().run(inputs))


@pytest.mark.parametrize("shape", ["depth", "voxel"])
def test_an_engine_that_never_says_more_than_the_threshold_is_not_proven(
    shape: str, small_scans: Path, tmp_path: Path
) -> None:
    exported(("variation", "--shape", shape), small_scans, tmp_path / "recipe")
    recipe = Recipe.load(tmp_path / "recipe")
    assert max(float(probe.score.max()) for probe in recipe.probes) > 1.0
    prove(open_cpu(recipe.model, 1), recipe)
    clipped = Wrong(recipe.model, lambda score: np.minimum(score, np.float32(0.9985)))
    with pytest.raises(EngineError, match="does not serve this recipe"):
        prove(clipped, recipe)
    if shape == "depth":
        for view in range(12):
            spoilt = open_cpu(with_view_spoilt(recipe.model, view), 1)
            with pytest.raises(EngineError, match="does not serve this recipe"):
                prove(spoilt, recipe)


def with_view_spoilt(model: bytes, view: int) -> bytes:
    """One viewpoint's deviations a hundred times too large: nothing there is ever strange."""
    changed = onnx.load_from_string(model)
    (deviation,) = (c for c in changed.graph.initializer if c.name == "deviation")
    values: npt.NDArray[Any] = numpy_helper.to_array(deviation).copy()
    values[view] *= 100
    deviation.CopyFrom(numpy_helper.from_array(values, deviation.name))
    content: bytes = changed.SerializeToString()
    return content
