"""From pictures to a score map: the small interface that every backend fills.

A recipe's model is one graph. Its inputs are named after what the runtime can hand it (`INPUTS`),
its one output is `score`, float32 (1, 1, h, w), 1.0 = threshold.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from runtime.errors import EngineError
from runtime.manifest import Manifest, TensorSpec
from runtime.nouns import ScoreMap
from runtime.recipe import Probe, Recipe

Tensor = npt.NDArray[np.generic]

INPUTS = ("image", "reference", "gloss", "depth_mm")
"""uint8 (1, 1, h, w); depth_mm: float32 (1, 1, h, w), NaN = no return. reference and gloss are
those of the golden view as this camera would have seen it."""

OUTPUT = "score"
WARM_UP_RUNS = 2  # the first run allocates, the second shows the steady state
PROBE_TOLERANCE = (
    1e-3  # of the threshold: float32 on another CPU differs by 1e-5, a wrong op by far more
)


class Engine(Protocol):
    """One loaded model, used by one thread."""

    @property
    def backend(self) -> str:
        """What actually runs, e.g. `onnxruntime-cpu`; it goes into every verdict."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The graph's inputs."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The graph's outputs."""

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        """The raw output (1, 1, h, w) float32. Raises EngineError."""

    def close(self) -> None:
        """Give memory and device back; the engine is of no use afterwards."""


class Backend(Protocol):
    """How a row of the table opens a model."""

    def __call__(self, model: bytes, threads: int) -> Engine: ...


@dataclass(frozen=True, slots=True)
class BackendRow:
    """Where a backend lives; imported when chosen, so that nothing optional is a dependency."""

    module: str
    opener: str
    install: str


BACKENDS: dict[str, BackendRow] = {
    "onnxruntime-cpu": BackendRow("runtime.engine_onnxruntime", "open_cpu", "pip install voxgate"),
    "onnxruntime-cuda": BackendRow(
        "runtime.engine_onnxruntime", "open_cuda", "pip install onnxruntime-gpu"
    ),
    "onnxruntime-tensorrt": BackendRow(
        "runtime.engine_onnxruntime", "open_tensorrt", "pip install onnxruntime-gpu tensorrt"
    ),
}
DEFAULT_BACKEND = "onnxruntime-cpu"


def open_engine(recipe: Recipe, backend: str = DEFAULT_BACKEND, threads: int = 2) -> Engine:
    """The recipe's model on `backend`, warm and proven to give the recipe's own scores.

    Raises EngineError when the backend is unknown or not installed, when the model does not keep
    its manifest, or when the probe's scores differ from the recorded ones.
    """
    engine = _opener(backend)(recipe.model, threads)
    try:
        _check_contract(engine, recipe.manifest)
        prove(engine, recipe.probes)
    except EngineError:
        engine.close()
        raise
    return engine


def prove(engine: Engine, probes: tuple[Probe, ...]) -> None:
    """Warm up on the probes, then hold their scores against the recorded ones (promise 3)."""
    if not probes:
        raise EngineError("the recipe has no probe: export it again")
    for _ in range(WARM_UP_RUNS):
        engine.run(probes[0].inputs)
    for number, probe in enumerate(probes):
        _hold_against(score_map(engine, probe.inputs).score, probe.score, number, engine.backend)


def score_map(engine: Engine, inputs: dict[str, Tensor]) -> ScoreMap:
    """One view's scores, (h, w). Raises EngineError when they are not finite or not a map."""
    raw = engine.run(inputs)
    if raw.ndim != 4 or raw.shape[:2] != (1, 1):
        raise EngineError(f"the model's output is (1, 1, h, w) float32, got {raw.shape}")
    try:
        return ScoreMap(raw[0, 0])
    except ValueError as error:
        raise EngineError(f"the model on {engine.backend} gave no score: {error}") from error


def _check_contract(engine: Engine, manifest: Manifest) -> None:
    """Hold the graph against what the manifest promises. Raises EngineError with both."""
    if unknown := {spec.name for spec in manifest.inputs} - set(INPUTS):
        raise EngineError(
            f"the model wants {sorted(unknown)}, this runtime has {', '.join(INPUTS)}"
        )
    for what, found, promised in (
        ("inputs", engine.inputs, manifest.inputs),
        ("output", engine.outputs, (manifest.output,)),
    ):
        if sorted(map(str, found)) != sorted(map(str, promised)):
            raise EngineError(
                f"the model's {what} are {', '.join(map(str, found))}, "
                f"the manifest says {', '.join(map(str, promised))}: export the recipe again"
            )


def _hold_against(
    score: npt.NDArray[np.float32],
    expected: npt.NDArray[np.float32],
    number: int,
    backend: str,
) -> None:
    if score.shape != expected.shape:
        raise EngineError(f"probe {number}: score map {score.shape}, expected {expected.shape}")
    worst = float(np.abs(score - expected).max())
    if not worst <= PROBE_TOLERANCE:  # so that NaN does not pass
        raise EngineError(
            f"probe {number}: {backend} is off by {worst:.4f} of the threshold, "
            f"at most {PROBE_TOLERANCE} is allowed: this engine does not serve this recipe"
        )


def _opener(backend: str) -> Backend:
    row = BACKENDS.get(backend)
    if row is None:
        raise EngineError(f"backend {backend!r} is unknown, choose one of {', '.join(BACKENDS)}")
    try:
        module = importlib.import_module(row.module)
    except ImportError as error:
        raise EngineError(f"backend {backend}: {error}; type: {row.install}") from error
    return cast(Backend, getattr(module, row.opener))
