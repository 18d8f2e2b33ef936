"""TensorRT generated from the list of names of its real bindings, running on a GPU of numpy.

Every class has exactly the names of its version: anything else raises AttributeError, and so does
setting what cannot be set. Enum values differ from version to version, as they really do. Plans are
ONNX behind a header of version and GPU; what runs them is ONNX Runtime, on device addresses.
"""

from __future__ import annotations

import enum
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from tests.kits.numpy_gpu import ALIGNMENT, GpuFault, NumpyGpu
from tests.kits.remembering_engine import Memory
from voxgate.runtime.plans.flavour import RTX, TENSORRT, Edition

FACTS_FOLDER = Path(__file__).parent / "facts"
FACTS = json.loads((FACTS_FOLDER / "tensorrt_names.json").read_text("utf-8"))
VERSIONS: tuple[str, ...] = tuple(FACTS["versions"])
FULL = {
    "8.6": "8.6.2",
    "10.3": "10.3.0",
    "10.13": "10.13.3.9",
    "11.4": "11.4.1.2",
    "rtx-1.7": "1.7.1.116",
}
RTX_MODULE = "tensorrt_rtx"
MAGIC = b"ftrt"
ENUMS = (
    *("ILogger.Severity", "NetworkDefinitionCreationFlag", "BuilderFlag", "MemoryPoolType"),
    *("TensorIOMode", "TensorLocation", "DataType", "OnnxParserFlag", "ProfilingVerbosity"),
    *("ComputeCapability", "CudaGraphStrategy", "DeviceType"),
)

Members = dict[str, Any]
# what a constructor of the bindings raises where the library gave a null pointer
NULL = "pybind11::init(): factory function returned nullptr"


def names_of(version: str, cls: str) -> dict[str, Any]:
    """name -> kind and parameters, of one class in one version; empty where it does not exist."""
    members = FACTS["classes"].get(cls, {"members": {}})["members"]
    return {name: m for name, m in members.items() if version in m["in"]}


def install(monkeypatch: pytest.MonkeyPatch, gpu: NumpyGpu, version: str = "10.3") -> FakeTensorRT:
    """`import tensorrt` gives this version on this GPU."""
    fake = FakeTensorRT(version, gpu)
    monkeypatch.setitem(sys.modules, fake.module.__name__, fake.module)
    return fake


def edition_of(version: str) -> Edition:
    """As plans are bound to it."""
    return Edition(RTX if version.startswith("rtx") else TENSORRT, FULL[version])


class FakeTensorRT:
    """One version of the module. `touched` collects every (class, name) that was used.

    fail: "Class.method" -> what TensorRT logs when that call gives None or False, once.
    """

    def __init__(self, version: str, gpu: NumpyGpu) -> None:
        self.version = version
        self.gpu = gpu
        self.touched: set[tuple[str, str]] = set()
        self.fail: dict[str, str] = {}
        self.built_with: dict[str, Any] = {}
        self.logger: Any = None
        self.models: dict[bytes, Model] = {}
        self.scratch_bytes = 40 << 20
        self.dla_cores = 2  # of an AGX Orin
        self.loaded_on: list[int | None] = []  # DLA core of the runtime, of every plan it loaded
        self.compilations = 0  # of plans of RTX, as they were loaded
        self.compiled = b"for this card and driver"
        self.alive: list[str] = []  # runtimes, engines and contexts, in the order they were made
        self.backend = edition_of(version).flavour
        self.module = ModuleType(RTX_MODULE if self.backend == RTX else "tensorrt")
        self._enums = {name: self._enum(name) for name in ENUMS}
        self._fill()

    # --- the module ------------------------------------------------------------------------------

    def _fill(self) -> None:
        module = self.module.__dict__
        module["__version__"] = FULL[self.version]
        for name, value in self._enums.items():
            if "." not in name and names_of(self.version, name):
                module[name] = value
        behaviours = {
            "ILogger": {"__init__": self._init_logger, "Severity": self._enums["ILogger.Severity"]},
            "Builder": self._builder(),
            "INetworkDefinition": {},
            "ITensor": {},
            "ILayer": {},
            "IBuilderConfig": self._config(),
            "ITimingCache": {"serialize": lambda cache: cache._fake_content + b"+"},
            "IHostMemory": {},
            "OnnxParser": self._parser(),
            "ParserError": {"__str__": lambda error: error._fake_words},
            "Runtime": self._runtime(),
            "ICudaEngine": self._engine(),
            "IExecutionContext": self._context(),
            "IRuntimeConfig": self._runtime_config(),
            "IRuntimeCache": self._runtime_cache(),
            "IProgressMonitor": {"__init__": lambda monitor: None},
        }
        self.classes = {name: self._class(name, members) for name, members in behaviours.items()}
        for name, cls in self.classes.items():
            if self.version in FACTS["classes"][name]["in"]:
                module[name] = cls

    def _enum(self, name: str) -> Any:
        members = [n for n, m in names_of(self.version, name).items() if m["kind"] == "enum_value"]
        # other integers in every version: whoever stores one is caught
        first = VERSIONS.index(self.version)
        return enum.IntEnum(name.split(".")[-1], {n: i + first for i, n in enumerate(members)})

    def _class(self, name: str, behaviour: Members) -> type:
        real = names_of(self.version, name)
        allowed = set(real) | {"__init__", "__str__"}
        for member in set(behaviour) - allowed:
            behaviour.pop(member)  # what this version does not have
        fake = self

        def missing(member: str) -> Callable[..., Any]:
            def raises(*args: Any, **named: Any) -> Any:
                raise NotImplementedError(f"the fake's {name}.{member} does nothing")

            return raises

        def getattribute(self: Any, attribute: str) -> Any:
            if not attribute.startswith("_"):
                fake.touched.add((name, attribute))
            return object.__getattribute__(self, attribute)

        def setattribute(self: Any, attribute: str, value: Any) -> None:
            own = attribute.startswith("_")
            if not own and real.get(attribute, {}).get("kind") not in ("property", "attribute"):
                raise AttributeError(f"{name}.{attribute} cannot be set in {fake.version}")
            if not own:
                fake.touched.add((name, attribute))
            object.__setattr__(self, attribute, value)

        members: Members = {"__getattribute__": getattribute, "__setattr__": setattribute}
        for member, facts in real.items():
            if facts["kind"] in ("method", "callback_override") and not member.startswith("__"):
                members[member] = missing(member)
        return type(name, (), members | behaviour)

    def _make(self, cls: str, **fields: Any) -> Any:
        made: Any = object.__new__(self.classes[cls])
        for name, value in fields.items():
            object.__setattr__(made, name, value)
        return made

    def _failing(self, call: str) -> bool:
        words = self.fail.pop(call, None)
        if words is None:
            return False
        self.say("ERROR", words)
        return True

    def say(self, severity: str, words: str) -> None:
        self.logger.log(self._enums["ILogger.Severity"][severity], words)

    def _init_logger(self, logger: Any) -> None:
        self.logger = logger

    # --- building --------------------------------------------------------------------------------

    def _builder(self) -> Members:
        def init(builder: Any, logger: Any) -> None:
            if self._failing("Builder"):
                raise TypeError(NULL)

        def create_network(builder: Any, flags: int = 0) -> Any:
            if self._failing("Builder.create_network"):
                return None
            self.built_with = {"network_flags": flags, "flags": {"TF32"}}
            self._network = self._make("INetworkDefinition", _fake_flags=flags)
            return self._network

        def create_builder_config(builder: Any) -> Any:
            if self._failing("Builder.create_builder_config"):
                return None
            return self._make("IBuilderConfig")

        def build_serialized_network(builder: Any, network: Any, config: Any) -> Any:
            if self._failing("Builder.build_serialized_network"):
                return None
            monitor = getattr(config, "progress_monitor", None) if self.version != "8.6" else None
            if monitor is not None:
                monitor.phase_start("Timing", None, 2)
                assert monitor.step_complete("Timing", 0)
                assert monitor.step_complete("Timing", 1)
                monitor.phase_finish("Timing")
            self.built_with["level"] = config.builder_optimization_level
            self.built_with["dla_core"] = getattr(config, "DLA_core", None)
            self.built_with["aux_streams"] = getattr(config, "max_aux_streams", None)
            if self._is_weak(network) and self.built_with["dla_core"] is None:
                self.say("ERROR", "the network lacks its types")
                return None
            return self.plan(network._fake_model, getattr(config, "_fake_aim", None))

        return {
            "__init__": init,
            "create_network": create_network,
            "create_builder_config": create_builder_config,
            "build_serialized_network": build_serialized_network,
            "num_DLA_cores": property(lambda builder: self.dla_cores),
        }

    def _is_weak(self, network: Any) -> bool:
        """Where 10 could hold the graph's types, and was not asked to."""
        if self.version not in ("10.3", "10.13"):
            return False
        flag = self._enums["NetworkDefinitionCreationFlag"]
        return not network._fake_flags >> int(flag.STRONGLY_TYPED) & 1

    def plan(self, model: bytes, aim: tuple[int, int] | None = None) -> bytes:
        """A plan of this version, for this GPU or the named kind."""
        major, minor = aim or self.gpu.capability
        header = f"{FULL[self.version]}/{major}.{minor}/".encode()
        return MAGIC + header + model

    def _config(self) -> Members:
        def clear_flag(config: Any, flag: Any) -> None:
            self.built_with["flags"].discard(self._enums["BuilderFlag"](flag).name)

        def set_flag(config: Any, flag: Any) -> None:
            self.built_with["flags"].add(self._enums["BuilderFlag"](flag).name)

        def create_timing_cache(config: Any, content: bytes) -> Any:
            return self._make("ITimingCache", _fake_content=content)

        def set_timing_cache(config: Any, cache: Any, ignore_mismatch: bool) -> bool:
            assert not ignore_mismatch
            if cache._fake_content.startswith(b"other"):
                self.say("ERROR", "timing cache does not match this device")
                return False
            return True

        def set_compute_capability(config: Any, capability: Any, index: int) -> None:
            assert (config.num_compute_capabilities, index) == (1, 0)
            name = self._enums["ComputeCapability"](capability).name
            config._fake_aim = divmod(int(name.removeprefix("SM")), 10)

        def set_memory_pool_limit(config: Any, pool: Any, size: int) -> None:
            self.built_with[self._enums["MemoryPoolType"](pool).name] = size

        def can_run_on_dla(config: Any, layer: Any) -> bool:
            """FP16 alone, and before 11 only where a flag allows it and no types are prescribed."""
            assert config.default_device_type == self._enums["DeviceType"]["DLA"]
            flags, dtype = self.built_with["flags"], self._enums["DataType"]
            assert "GPU_FALLBACK" in flags
            allowed = {"8.6": "FP16" in flags, "11.4": True}.get(
                self.version, "FP16" in flags and self._is_weak(self._network)
            )
            return allowed and bool(layer.get_output(0).dtype == dtype.HALF)

        return {
            "can_run_on_DLA": can_run_on_dla,
            "clear_flag": clear_flag,
            "set_flag": set_flag,
            "create_timing_cache": create_timing_cache,
            "set_timing_cache": set_timing_cache,
            "set_memory_pool_limit": set_memory_pool_limit,
            "set_compute_capability": set_compute_capability,
        }

    def _parser(self) -> Members:
        def init(parser: Any, network: Any, logger: Any) -> None:
            if self._failing("OnnxParser"):
                raise TypeError(NULL)
            parser._fake_network = network
            parser._fake_errors = []

        def parse(parser: Any, model: bytes, path: str | None = None) -> bool:
            flag = self._enums["NetworkDefinitionCreationFlag"]
            flags = parser._fake_network._fake_flags
            if self.version == "8.6" and not flags >> int(flag["EXPLICIT_BATCH"]) & 1:
                parser._fake_errors.append("In node -1: the network lacks EXPLICIT_BATCH")
                return False
            if self._failing("OnnxParser.parse"):
                parser._fake_errors.append("In node 3 with name: X and operator: Odd: UNSUPPORTED")
                return False
            self._describe(parser._fake_network, model)
            return True

        return {
            "__init__": init,
            "parse": parse,
            "num_errors": property(lambda parser: len(parser._fake_errors)),
            "get_error": lambda parser, index: self._make(
                "ParserError", _fake_words=parser._fake_errors[index]
            ),
        }

    def _describe(self, network: Any, model: bytes) -> None:
        """Layers with the types that the graph computes in."""
        network._fake_model = model
        typed = onnx.shape_inference.infer_shapes(onnx.load_from_string(model))
        values = [*typed.graph.value_info, *typed.graph.output]
        types = {v.name: v.type.tensor_type.elem_type for v in values}
        dtype = self._enums["DataType"]
        known = {1: dtype.FLOAT, 10: dtype.HALF}
        self.layers = []
        for node in typed.graph.node:
            kind = known.get(types.get(node.output[0], 0), dtype.INT32)
            tensor = self._make("ITensor", dtype=kind)
            members = {
                "name": node.name,
                "num_outputs": 1,
                "get_output": lambda at, tensor=tensor: tensor,
                "_fake_pinned": [],
            }
            layer = self._make("ILayer", **members)
            object.__setattr__(
                layer,
                "set_output_type",
                lambda at, kind, layer=layer: layer._fake_pinned.append(kind),
            )
            self.layers.append(layer)
        object.__setattr__(network, "num_layers", len(self.layers))
        object.__setattr__(network, "get_layer", lambda at: self.layers[at])

    # --- running ---------------------------------------------------------------------------------

    def _runtime(self) -> Members:
        def init(runtime: Any, logger: Any) -> None:
            if self._failing("Runtime"):
                raise TypeError(NULL)
            runtime._fake_logger = logger
            runtime._fake_life = self._life("runtime")

        def deserialize_cuda_engine(runtime: Any, plan: bytes) -> Any:
            self.gpu.need_context()
            if self._failing("Runtime.deserialize_cuda_engine") or not self._readable(bytes(plan)):
                self.say("ERROR", "Error Code 4: Internal Error (Engine deserialization failed.)")
                return None
            self.loaded_on.append(getattr(runtime, "DLA_core", None))
            model = bytes(plan).split(b"/", 2)[2]
            life = self._life("engine", runtime._fake_life)
            return self._make("ICudaEngine", _fake_model=model, _fake_life=life)

        return {
            "__init__": init,
            "deserialize_cuda_engine": deserialize_cuda_engine,
            "num_DLA_cores": property(lambda runtime: self.dla_cores),
        }

    def _readable(self, plan: bytes) -> bool:
        if not plan.startswith(MAGIC):
            self.say(
                "ERROR",
                "Serialization assertion magicTagRead == kMAGIC_TAG failed.Magic tag does not "
                "match",
            )
            return False
        version, capability = plan[len(MAGIC) :].split(b"/", 2)[:2]
        here = "{}.{}".format(*self.gpu.capability)
        if version.decode() != FULL[self.version]:
            self.say(
                "ERROR",
                "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization "
                "assertion stdVersionRead == kSERIALIZATION_VERSION failed.Version tag does not "
                "match. Note: Current Version: 236, Serialized Engine Version: 237)",
            )
            return False
        if capability.decode() != here:
            self.say(
                "ERROR",
                "The engine plan file is generated on an incompatible device, expecting compute "
                f"{here} got compute {capability.decode()}, please rebuild.",
            )
            return False
        return True

    def _engine(self) -> Members:
        def tensors(engine: Any) -> dict[str, tuple[bool, Any]]:
            graph = onnx.load_from_string(engine._fake_model).graph
            return {v.name: (True, v) for v in graph.input} | {
                v.name: (False, v) for v in graph.output
            }

        def dtype(engine: Any, name: str) -> Any:
            kinds = {1: "FLOAT", 2: "UINT8", 10: "HALF"}
            return self._enums["DataType"][
                kinds[tensors(engine)[name][1].type.tensor_type.elem_type]
            ]

        def shape(engine: Any, name: str) -> tuple[int, ...]:
            dims = tensors(engine)[name][1].type.tensor_type.shape.dim
            return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)

        def mode(engine: Any, name: str) -> Any:
            return self._enums["TensorIOMode"]["INPUT" if tensors(engine)[name][0] else "OUTPUT"]

        def create_runtime_config(engine: Any) -> Any:
            failing = self._failing("ICudaEngine.create_runtime_config")
            return None if failing else self._make("IRuntimeConfig")

        def create_execution_context(
            engine: Any, strategy: Any = None, runtime_config: Any = None
        ) -> Any:
            if self._failing("ICudaEngine.create_execution_context"):
                return None
            if self.backend == RTX:
                self._compile(runtime_config)
            return self._make(
                "IExecutionContext",
                _fake_engine=engine,
                _fake_model=self._model(engine._fake_model),
                _fake_address={},
                _fake_thread=threading.get_ident(),
                _fake_life=self._life("context", engine._fake_life),
            )

        return {
            "num_io_tensors": property(lambda engine: len(tensors(engine))),
            "get_tensor_name": lambda engine, index: list(tensors(engine))[index],
            "get_tensor_mode": mode,
            "get_tensor_dtype": dtype,
            "get_tensor_shape": shape,
            "get_tensor_location": lambda engine, name: self._enums["TensorLocation"].DEVICE,
            "device_memory_size": property(lambda engine: self.scratch_bytes),
            "device_memory_size_v2": property(lambda engine: self.scratch_bytes),
            "create_execution_context": create_execution_context,
            "create_runtime_config": create_runtime_config,
        }

    def _compile(self, config: Any) -> None:
        """RTX does, unless it is given what was compiled before."""
        assert config.cuda_graph_strategy == self._enums["CudaGraphStrategy"]["DISABLED"]
        if not config._fake_cache._fake_content:
            self.compilations += 1
            config._fake_cache._fake_content = self.compiled

    def _runtime_config(self) -> Members:
        def set_runtime_cache(config: Any, cache: Any = None) -> bool:
            config._fake_cache = cache
            return not self._failing("IRuntimeConfig.set_runtime_cache")

        return {
            "create_runtime_cache": lambda config: self._make("IRuntimeCache", _fake_content=b""),
            "set_runtime_cache": set_runtime_cache,
        }

    def _runtime_cache(self) -> Members:
        def deserialize(cache: Any, blob: bytes) -> bool:
            self.gpu.need_context()
            if bytes(blob) != self.compiled:
                return False
            cache._fake_content = bytes(blob)
            return True

        return {"serialize": lambda cache: cache._fake_content, "deserialize": deserialize}

    def _context(self) -> Members:
        def set_input_shape(context: Any, name: str, shape: tuple[int, ...]) -> bool:
            engine = context._fake_engine
            return not self._failing("IExecutionContext.set_input_shape") and shape == (
                engine.get_tensor_shape(name)
            )

        def set_tensor_address(context: Any, name: str, memory: int) -> bool:
            if self._failing("IExecutionContext.set_tensor_address"):
                return False
            if memory % ALIGNMENT:
                self.say("ERROR", f"address of {name} is not aligned")
                return False
            context._fake_address[name] = memory
            return True

        def infer_shapes(context: Any) -> list[str]:
            if self._failing("IExecutionContext.infer_shapes: raises"):
                raise RuntimeError("infer_shapes error code: 1")
            return ["x"] if self._failing("IExecutionContext.infer_shapes") else []

        def execute_async_v3(context: Any, stream_handle: int) -> bool:
            assert threading.get_ident() == context._fake_thread, "a context is for one thread"
            if self._failing("IExecutionContext.execute_async_v3"):
                return False
            try:
                self.gpu.call("execute")
                self.gpu.enqueue(stream_handle, lambda: self._execute(context))
            except GpuFault as fault:
                self.say("ERROR", f"Error Code 1: Cuda Runtime ({fault})")
                return False
            return True

        return {
            "set_input_shape": set_input_shape,
            "set_tensor_address": set_tensor_address,
            "infer_shapes": infer_shapes,
            "execute_async_v3": execute_async_v3,
        }

    def _execute(self, context: Any) -> None:
        model, address = context._fake_model, context._fake_address
        feeds = {}
        for node in model.session.get_inputs():
            dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[node.type]
            nbytes = int(np.prod(node.shape)) * np.dtype(dtype).itemsize
            memory = self.gpu.at(address[node.name], nbytes)
            feeds[node.name] = memory.view(dtype).reshape(node.shape)
        outputs = model.memory.ask(feeds, lambda: model.session.run(None, feeds))
        for node, output in zip(model.session.get_outputs(), outputs, strict=True):
            into = self.gpu.at(address[node.name], output.nbytes)
            np.copyto(into, output.reshape(-1).view(np.uint8))
            if self.gpu.spoil is not None:
                self.gpu.spoil(into)

    def _model(self, model: bytes) -> Model:
        if model not in self.models:
            self.models[model] = Model(model)
        return self.models[model]

    def _life(self, what: str, parent: Life | None = None) -> Life:
        return Life(self, what, parent)


class Model:
    """What computes behind every context of one model; a model is a function, so it remembers."""

    def __init__(self, model: bytes) -> None:
        options = ort.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(model, sess_options=options)
        self.memory = Memory()


class Life:
    """Checks the order in which things end: context before engine, engine before runtime."""

    def __init__(self, fake: FakeTensorRT, what: str, parent: Life | None = None) -> None:
        self._fake = fake
        self._what = what
        self._children = [0]
        self._siblings = [0] if parent is None else parent._children
        self._siblings[0] += 1
        fake.alive.append(what)

    def __del__(self) -> None:
        self._fake.alive.remove(self._what)
        self._siblings[0] -= 1
        if self._children[0]:
            self._fake.alive.append(f"{self._what} was dropped before what it made")
