"""ONNX Runtime behind the engine interface: CPU everywhere, CUDA and TensorRT if present."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from pydantic import ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.text import one_line
from voxgate.runtime.engines.engine import OUTPUT, Engine, Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import TensorSpec

WARNINGS_AND_WORSE = 3  # onnxruntime's severity: 0 verbose .. 3 error; its warnings are not ours


class OnnxRuntimeEngine:
    """One session, one thread that calls it, `threads` threads inside."""

    def __init__(self, model: bytes, provider: str, threads: int) -> None:
        self._provider = provider
        self._session: ort.InferenceSession | None = _session(model, provider, threads)

    @property
    def backend(self) -> str:
        return f"onnxruntime-{_SHORT_NAMES[self._provider]}"

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(_spec(node) for node in self._live().get_inputs())

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(_spec(node) for node in self._live().get_outputs())

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        session = self._live()
        try:
            (score,) = session.run([OUTPUT], inputs)
        except _ERRORS as error:
            raise EngineError(f"{self.backend} failed: {one_line(error)}") from error
        if not isinstance(score, np.ndarray) or score.dtype != np.float32:
            raise EngineError(f"{self.backend} gave no float32 array but {type(score).__name__}")
        return score

    def close(self) -> None:
        self._session = None

    def _live(self) -> ort.InferenceSession:
        if self._session is None:
            raise EngineError("the engine is closed")
        return self._session


def open_cpu(model: bytes, threads: int) -> Engine:
    """On the CPU: the backend that every machine has."""
    return OnnxRuntimeEngine(model, "CPUExecutionProvider", threads)


def open_cuda(model: bytes, threads: int) -> Engine:
    """On an NVIDIA GPU, through onnxruntime's CUDA kernels."""
    return OnnxRuntimeEngine(model, "CUDAExecutionProvider", threads)


def open_tensorrt(model: bytes, threads: int) -> Engine:
    """On an NVIDIA GPU, through onnxruntime's TensorRT provider."""
    return OnnxRuntimeEngine(model, "TensorrtExecutionProvider", threads)


# TF32 keeps 10 bits of a distance; onnxruntime switches it on unless told otherwise
_PROVIDER_OPTIONS = {"CUDAExecutionProvider": {"use_tf32": "0"}}

_SHORT_NAMES = {
    "CPUExecutionProvider": "cpu",
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "tensorrt",
}


def _session(model: bytes, provider: str, threads: int) -> ort.InferenceSession:
    if provider not in ort.get_available_providers():
        raise EngineError(
            f"this onnxruntime has no {provider}, only {', '.join(ort.get_available_providers())}: "
            f"choose backend onnxruntime-cpu or install onnxruntime-gpu"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads if _multiplies(model) else 1
    options.inter_op_num_threads = 1
    options.log_severity_level = WARNINGS_AND_WORSE
    # idle between views: spinning would burn a core of the box while the robot moves
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen = (provider, _PROVIDER_OPTIONS.get(provider, {}))
    try:
        session = ort.InferenceSession(model, sess_options=options, providers=[chosen])
    except _ERRORS as error:
        raise EngineError(f"the model cannot be loaded: {one_line(error)}") from error
    if session.get_providers()[0] != provider:  # onnxruntime falls back without a word
        raise EngineError(f"{provider} did not start, onnxruntime fell back to the CPU")
    return session


_PRODUCTS = (
    *("Conv", "ConvTranspose", "ConvInteger", "QLinearConv"),
    *("MatMul", "MatMulInteger", "QLinearMatMul", "Gemm", "Einsum"),
)


def _multiplies(model: bytes) -> bool:
    """Whether layers multiply, which several threads share. Pools and sums of one picture they
    hardly do (14.1 ms for 15.3 with one, of 800 x 600), and their helper would wait for the core on
    which the shape is judged meanwhile, and the engine for it.

    A node's kind is its field 4: in the file a byte 0x22, the length, the name.
    """
    return any(b"\x22" + bytes([len(name)]) + name.encode() in model for name in _PRODUCTS)


def _spec(node: ort.NodeArg) -> TensorSpec:
    dtype = node.type.removeprefix("tensor(").removesuffix(")")
    try:
        return TensorSpec.model_validate(
            {"name": node.name, "dtype": _DTYPES.get(dtype, dtype), "shape": tuple(node.shape)}
        )
    except ValidationError as error:
        raise EngineError(f"tensor {node.name} of the model: {first_finding(error)}") from error


_DTYPES = {"float": "float32"}  # onnxruntime's word -> numpy's


def _own_errors() -> tuple[type[Exception], ...]:
    """onnxruntime raises classes of its own without a public base; which ones varies by version."""
    found = vars(ort.capi.onnxruntime_pybind11_state).values()
    return tuple(c for c in found if isinstance(c, type) and issubclass(c, Exception))


_ERRORS: tuple[type[Exception], ...] = (*_own_errors(), RuntimeError, ValueError, TypeError)
