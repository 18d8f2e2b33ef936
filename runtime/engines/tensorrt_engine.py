"""TensorRT behind the engine interface: a plan, fixed buffers, one stream.

One thread opens, runs and closes it. Every address is a multiple of 256, every value that TensorRT
returns is checked, and `close` drops context, engine and runtime before the GPU's context is left.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.engines import dla
from voxgate.runtime.engines.engine import OUTPUT, Tensor
from voxgate.runtime.engines.gpu_memory import ModelMemory, take_room
from voxgate.runtime.engines.tensorrt_module import logger_of, made
from voxgate.runtime.engines.tensorrt_remedies import REBUILD
from voxgate.runtime.errors import EngineError
from voxgate.runtime.gpu.device import Captured, Device
from voxgate.runtime.gpu.pinned_ring import PinnedRing, aligned
from voxgate.runtime.plans.flavour import RTX, Edition, api_of, flavour_of
from voxgate.runtime.plans.which_plan import Code
from voxgate.runtime.recipe.manifest import TensorSpec

log = logging.getLogger(__name__)

SMALLER = "export for a smaller picture (--input-px) or backbone"


@runtime_checkable
class DeviceEngine(Protocol):
    """An engine whose scores stay on the GPU, for kernels on the same stream."""

    device: Device
    kernels: bytes
    """The fusion kernels, compiled for this GPU."""
    memory: ModelMemory

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The graph's inputs."""

    def enqueue(self, inputs: dict[str, Tensor], staging: PinnedRing) -> None:
        """Upload and run, without waiting; the scores are at `address_of("score")` then."""

    def address_of(self, tensor: str) -> int | None:
        """Where an input or output lies; None when the model has no such tensor."""


@dataclass(frozen=True, slots=True)
class _Binding:
    spec: TensorSpec
    address: int
    is_input: bool


class TensorRTEngine:
    """One plan, one execution context, one stream, one thread.

    owns_device: whether it closes `device`, once it is made; buffers on a device that is shared
    live as long as the device. compiled: what RTX compiled of this plan on this card before.
    """

    def __init__(
        self,
        tensorrt: Any,
        device: Device,
        code: Code,
        owns_device: bool = True,
        compiled: bytes = b"",
    ) -> None:
        self.device = device
        self._owns_device = owns_device
        self.kernels = code.kernels
        self._dla_core = code.dla_core
        self._owner = threading.get_ident()
        self._edition = Edition.of(tensorrt)
        logger, self._said = logger_of(tensorrt)
        self._said.take()
        self._engine: Any = None
        self._config: Any = None
        self._cache: Any = None
        self._context: Any = None
        self._graph: Captured | None = None
        look = "voxgate doctor says what is missing"
        self._runtime: Any = made(
            "TensorRT cannot start", self._said, look, tensorrt.Runtime, logger
        )
        try:
            self._open(tensorrt, code.plan, compiled)
        except BaseException:
            self._drop()
            raise

    def _open(self, tensorrt: Any, plan: bytes, compiled: bytes) -> None:
        if self._dla_core is not None:
            dla.take(tensorrt, self._runtime, self._dla_core)
        # no local names: a traceback would keep engine and context alive beyond the runtime
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise self._said.error("the plan cannot be loaded", REBUILD)
        self.memory = ModelMemory(len(plan), self._scratch_bytes(api_of(tensorrt)))
        take_room(self.device, self.memory, SMALLER)
        if flavour_of(tensorrt).name == RTX:
            self._make_compiling_context(tensorrt, compiled)
        else:
            self._context = self._engine.create_execution_context()
        if self._context is None:
            raise self._said.error("the plan gets no memory to run in", REBUILD)
        self._bindings = self._bind(tensorrt)
        self._output = self._bindings[OUTPUT]
        ring = sum(aligned(b.spec.nbytes) for b in self._bindings.values() if b.is_input)
        self._staging = PinnedRing(self.device, ring)
        self._scores = self.device.pinned(self._output.spec.nbytes)
        self._graph = self._first_run()

    def _scratch_bytes(self, version: tuple[int, int]) -> int:
        if version < (10, 1):
            return int(self._engine.device_memory_size)
        return int(self._engine.device_memory_size_v2)

    def _make_compiling_context(self, tensorrt: Any, compiled: bytes) -> None:
        """RTX compiles for the card when a plan is loaded, or takes what it compiled before.

        Its own CUDA graphs are off: the stream is recorded here, with the upload's place fixed.
        """
        self._config = self._engine.create_runtime_config()
        if self._config is None:
            raise self._said.error("the plan cannot be made ready", REBUILD)
        self._config.cuda_graph_strategy = tensorrt.CudaGraphStrategy.DISABLED
        self._cache = self._config.create_runtime_cache()
        if compiled and not self._cache.deserialize(compiled):
            log.info("compiled anew: what was kept is of another driver or card")
        if not self._config.set_runtime_cache(self._cache):
            raise self._said.error("the plan cannot be made ready", REBUILD)
        self._context = self._engine.create_execution_context(runtime_config=self._config)

    @property
    def compiled(self) -> bytes:
        """What RTX compiled for this card, for the next start; empty for TensorRT proper."""
        return b"" if self._cache is None else bytes(self._cache.serialize())

    @property
    def backend(self) -> str:
        on = "" if self._dla_core is None else f"-dla{self._dla_core}"
        return f"{self._edition.backend}{on}"

    @property
    def uses_graph(self) -> bool:
        """Whether a run is one launch of a CUDA graph."""
        return self._graph is not None

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(b.spec for b in self._bindings.values() if b.is_input)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(b.spec for b in self._bindings.values() if not b.is_input)

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        self.enqueue(inputs, self._staging)
        self.device.download(self._scores.array, self._output.address)
        self.device.synchronize()
        self._staging.forget()
        scores: npt.NDArray[np.float32] = self._scores.array.view(np.float32).copy()
        return scores.reshape(self._output.spec.shape)

    def enqueue(self, inputs: dict[str, Tensor], staging: PinnedRing) -> None:
        self.upload(inputs, staging)
        self.execute()

    def upload(self, inputs: dict[str, Tensor], staging: PinnedRing) -> None:
        """Enqueue the first half of `enqueue`."""
        self._check_caller()
        self._check_inputs(inputs)
        for binding in self._bindings.values():
            if binding.is_input:
                staging.upload(binding.address, inputs[binding.spec.name])
        staging.mark()

    def execute(self) -> None:
        """Enqueue the second half of `enqueue`: the model, on what was uploaded."""
        if self._graph is None:
            self._execute()
        else:
            self._graph.launch()

    def address_of(self, tensor: str) -> int | None:
        found = self._bindings.get(tensor)
        return None if found is None else found.address

    def close(self) -> None:
        if self._runtime is None:
            return
        self._check_caller()
        self._drop()
        if not self._owns_device:
            return
        try:
            self.device.close()
        except EngineError as error:  # the GPU is lost; whoever closes has no more use for it
            log.warning("the GPU did not take everything back: %s", error)

    def _drop(self) -> None:
        """Context before engine before runtime, as TensorRT wants it."""
        self._graph = None
        if hasattr(self, "_staging"):
            self._staging.forget()
        self._context = None
        self._cache = None
        self._config = None
        self._engine = None
        self._runtime = None

    # --- making it ready -------------------------------------------------------------------------

    def _bind(self, tensorrt: Any) -> dict[str, _Binding]:
        """Memory for every tensor, its address fixed for good (a CUDA graph keeps it)."""
        bindings = {}
        for number in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(number)
            spec = _spec(tensorrt, name, *_told(self._engine, name))
            is_input = self._engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT
            address = self.device.allocate(aligned(spec.nbytes))
            binding = _Binding(spec, address, is_input)
            self._set(binding)
            bindings[name] = binding
        if OUTPUT not in bindings:
            raise EngineError(f"the plan has no output {OUTPUT!r}; {REBUILD}")
        self._check_shapes()
        return bindings

    def _check_shapes(self) -> None:
        contradiction = ""
        try:
            missing = self._context.infer_shapes()
        except RuntimeError as error:
            contradiction = str(error)
        if contradiction:  # raised here, so that no traceback keeps the context alive
            raise EngineError(f"the plan's shapes contradict: {contradiction}; {REBUILD}")
        if missing:
            raise self._said.error(f"shapes of {missing} are open", REBUILD)

    def _set(self, binding: _Binding) -> None:
        name, shape = binding.spec.name, binding.spec.shape
        if binding.is_input and not self._context.set_input_shape(name, shape):
            raise self._said.error(f"the plan refuses input {binding.spec}", REBUILD)
        if not self._context.set_tensor_address(name, binding.address):
            raise self._said.error(f"the plan refuses memory for {binding.spec}", REBUILD)

    def _first_run(self) -> Captured | None:
        """Run once, for work that is put off until then; then record it, where that is possible."""
        for binding in self._bindings.values():
            self.device.clear(binding.address, binding.spec.nbytes)
        self._execute()
        self.device.synchronize()
        recording = self.device.recording()
        if recording is None or self._dla_core is not None:  # nobody promises it of a DLA's work
            return None
        recording.begin()
        recorded = self._context.execute_async_v3(self.device.stream)
        try:
            captured = recording.end()  # in any case: the stream must leave its capturing state
        except EngineError as error:
            log.warning("no CUDA graph, every run is enqueued: %s", error)
            return None
        if not recorded:
            reason = self._said.error("the model cannot be recorded", "it has layers that wait")
            log.warning("no CUDA graph, every run is enqueued: %s", reason)
            return None
        return captured

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self.device.stream):
            raise self._said.error("TensorRT failed to run the model", "restart the service")

    def _check_caller(self) -> None:
        if self._runtime is None:
            raise EngineError("the engine is closed")
        if threading.get_ident() != self._owner:
            raise EngineError("a TensorRT engine is used by the thread that opened it, no other")

    def _check_inputs(self, inputs: dict[str, Tensor]) -> None:
        for spec in self.inputs:
            given = inputs.get(spec.name)
            if given is None or (str(given.dtype), given.shape) != (spec.dtype, spec.shape):
                got = None if given is None else f"{given.dtype} {list(given.shape)}"
                raise EngineError(f"the model takes {spec}, got {got}")


def _told(engine: Any, name: str) -> tuple[Any, Any, tuple[int, ...]]:
    """Where a tensor lies, its type and shape: read, never assumed, for they differ by version."""
    shape = tuple(int(size) for size in engine.get_tensor_shape(name))
    return engine.get_tensor_location(name), engine.get_tensor_dtype(name), shape


def _spec(tensorrt: Any, name: str, location: Any, kind: Any, shape: tuple[int, ...]) -> TensorSpec:
    if location != tensorrt.TensorLocation.DEVICE:
        raise EngineError(f"tensor {name} of the plan lies on the host: export the recipe again")
    if min(shape, default=0) < 1:
        raise EngineError(f"tensor {name} has no fixed shape {shape}: export for one size")
    dtypes = {tensorrt.DataType.FLOAT: "float32", tensorrt.DataType.UINT8: "uint8"}
    try:
        return TensorSpec.model_validate(
            {"name": name, "dtype": dtypes.get(kind, str(kind)), "shape": shape}
        )
    except ValidationError as error:
        raise EngineError(f"tensor {name} of the plan: {first_finding(error)}") from error
