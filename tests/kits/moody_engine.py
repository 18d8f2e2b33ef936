"""A recipe's own engine, some of whose runs are spoiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voxgate.runtime.engines.engine import Engine, Tensor
from voxgate.runtime.recipe.manifest import TensorSpec

Output = npt.NDArray[np.float32]


@dataclass
class MoodyEngine:
    """The recipe's engine, but what the n-th run gives can be spoiled."""

    proven: Engine
    moods: dict[int, Callable[[Output], Output]] = field(default_factory=dict)
    runs: int = 0

    @property
    def backend(self) -> str:
        return self.proven.backend

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self.proven.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self.proven.outputs

    def run(self, inputs: dict[str, Tensor]) -> Output:
        mood = self.moods.get(self.runs)
        self.runs += 1
        output = self.proven.run(inputs)
        return output if mood is None else mood(output)

    def close(self) -> None:
        self.proven.close()
