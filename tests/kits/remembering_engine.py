"""An engine that computes each input once: many tests show it the same part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.engines.engine import Engine, Tensor
from voxgate.runtime.recipe.manifest import TensorSpec

KEPT = 64  # answers: a good and a bad part, some spoilt views of them, 2 MB each


@dataclass
class Memory:
    """What was answered to the same bytes before; the oldest answer goes first."""

    answers: dict[bytes, Any] = field(default_factory=dict)

    def ask(self, inputs: Mapping[str, npt.NDArray[Any]], compute: Callable[[], Any]) -> Any:
        """`compute()`, or what it gave when it was asked for these very inputs."""
        key = hashlib.sha256()
        for name, tensor in sorted(inputs.items()):
            key.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
            key.update(np.ascontiguousarray(tensor).data)
        found = self.answers.pop(key.digest(), None)
        self.answers[key.digest()] = compute() if found is None else found
        if len(self.answers) > KEPT:
            self.answers.pop(next(iter(self.answers)))
        return self.answers[key.digest()]


@dataclass
class RememberingEngine:
    """A recipe's own engine; the same inputs are computed once, and the answer copied."""

    real: Engine
    memory: Memory = field(default_factory=Memory)

    @property
    def backend(self) -> str:
        return self.real.backend

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self.real.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self.real.outputs

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        return np.array(self.memory.ask(inputs, lambda: self.real.run(inputs)), np.float32)

    def close(self) -> None:
        self.real.close()
