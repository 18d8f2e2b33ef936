"""A recipe's graph becomes a TensorRT plan, on the machine and GPU that will serve it.

Works by API for TensorRT 8.6, 10 and 11, and for RTX, which needs no GPU and builds for a named
one. The graph holds its precision; from 10 on it is built strongly typed. 8.6 knows only flags, so
there every layer that the graph computes in FP32 is pinned to FP32. TF32 is off unless asked for:
distances lose 13 of their 23 bits in it. A Jetson's DLA is aimed at by choice: engines.dla.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from voxgate.runtime.engines import dla
from voxgate.runtime.engines.tensorrt_module import Said, logger_of, made
from voxgate.runtime.engines.tensorrt_remedies import explain
from voxgate.runtime.errors import EngineError
from voxgate.runtime.plans.flavour import RTX, Edition, api_of, flavour_of

OLDEST_SM = 80  # whose warps add up in one step, as the fusion kernels do
LISTED = 4  # of what the parser refuses
NO_BUILDER = "TensorRT's builder cannot start"
REQUESTED = re.compile(r"Requested size was (\d+) bytes")
MB = 1 << 20
LOOK = "voxgate doctor says what is missing"

OnStep = Callable[[str, int, int], None]
"""Phase, step of it, steps of it."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build.

    workspace_mb: scratch memory a kernel may ask for; TensorRT's own default is all of the memory,
        which on a Jetson is the machine's.
    optimisation_level: 0 to 5; above 3 every kernel is compiled, which takes an Orin many minutes.
    dla_core: of a Jetson, that runs what it can; None: the GPU runs all.
    side_by_side: layers that do not wait for each other may run at once, each in memory of its own
        (EfficientAD took 3 times as much); what it gains was never measured, `bench gpu` does.
    """

    workspace_mb: int = 1024
    optimisation_level: int = 3
    tf32: bool = False
    dla_core: int | None = None
    side_by_side: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A plan and what was measured while it was built.

    gpu_layers: names of those that a DLA leaves to the GPU.
    scratch_bytes: that a run takes beside the weights, where TensorRT tells it.
    """

    plan: bytes
    timing_cache: bytes
    strongly_typed: bool
    gpu_layers: tuple[str, ...] = ()
    scratch_bytes: int | None = None


class ScratchError(EngineError):
    """A plan wants more scratch memory than it was granted."""


def build(
    tensorrt: Any,
    model: bytes,
    precision: str,
    options: BuildOptions,
    timing_cache: bytes = b"",
    on_step: OnStep = lambda phase, step, steps: None,
    sm: int | None = None,
) -> Built:
    """Takes seconds to many minutes; never called while parts are inspected. Raises EngineError.

    sm: compute capability (89 is 8.9) to build for, which RTX asks for; the others build for the
    GPU that is here.
    """
    logger, said = logger_of(tensorrt)
    said.take()
    said.scratch_bytes = None
    builder = made(NO_BUILDER, said, LOOK, tensorrt.Builder, logger)
    is_rtx = flavour_of(tensorrt).name == RTX  # it times nothing, and keeps no timings
    core, gpu_layers = options.dla_core, tuple[str, ...]()
    if core is not None:
        dla.check(tensorrt, builder, core, precision)
    strongly_typed = api_of(tensorrt) >= ((10, 0) if core is None else dla.STRONGLY_TYPED)
    network = _network(tensorrt, builder, said, strongly_typed)
    _parse(tensorrt, network, logger, model, said)
    config = made(NO_BUILDER, said, LOOK, builder.create_builder_config)
    monitor = _configure(tensorrt, config, options, on_step)
    if is_rtx and sm is not None:
        _aim_at(tensorrt, config, sm)
    if not strongly_typed:
        _pin_types(tensorrt, network, config, precision)
    if core is not None:
        gpu_layers = dla.aim(tensorrt, network, config, core)
    cache = None if is_rtx else _use_timing_cache(config, timing_cache, said)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise _refusal(said.take(), options.workspace_mb if is_rtx else None)
    del monitor  # alive until here: TensorRT keeps no reference of its own
    timings = b"" if cache is None else bytes(cache.serialize())
    return Built(bytes(plan), timings, strongly_typed, gpu_layers, said.scratch_bytes)


def _refusal(lines: list[str], limit_mb: int | None) -> EngineError:
    """limit_mb: where nothing is run to be timed, so that no memory but this can be too small."""
    if limit_mb is not None and any("OutOfMemory" in line for line in lines):
        return ScratchError(
            f"this model needs more scratch memory than --workspace-mb {limit_mb} grants: type "
            f"--workspace-mb {_granting(lines, limit_mb)}, or export it for a smaller picture"
        )
    why = explain(lines, "voxgate.tensorrt's log says more")
    return EngineError(f"TensorRT does not build this model: {why}")


def _granting(lines: list[str], limit_mb: int) -> int:
    """What the piece wants that was refused; more may come after it, so twice as much at least."""
    asked = [int(found[1]) for line in lines if (found := REQUESTED.search(line))]
    return max([2 * limit_mb, *(-(-nbytes // MB) for nbytes in asked)])


def _network(tensorrt: Any, builder: Any, said: Said, strongly_typed: bool) -> Any:
    """Flags by name: their numbers moved between the majors."""
    flag = tensorrt.NetworkDefinitionCreationFlag
    major, _ = api_of(tensorrt)
    if major < 10:
        flags = 1 << int(flag.EXPLICIT_BATCH)
    elif major == 10 and strongly_typed:
        flags = 1 << int(flag.STRONGLY_TYPED)
    else:
        flags = 0  # nothing else is left in 11
    return made("TensorRT makes no network", said, LOOK, builder.create_network, flags)


def _parse(tensorrt: Any, network: Any, logger: Any, model: bytes, said: Said) -> None:
    parser = made(
        "TensorRT's parser cannot start", said, LOOK, tensorrt.OnnxParser, network, logger
    )
    if parser.parse(model):
        said.take()
        return
    problems = [str(parser.get_error(number)) for number in range(parser.num_errors)]
    if problems:  # with the layers' names, which its log has not
        said.take()
        said.add("; ".join(problems[:LISTED]))
    raise said.error(
        "TensorRT cannot read this model", "export the recipe again: its graph is checked there"
    )


def _configure(tensorrt: Any, config: Any, options: BuildOptions, on_step: OnStep) -> Any:
    """Returns what must stay alive while TensorRT builds."""
    if not options.tf32:
        config.clear_flag(tensorrt.BuilderFlag.TF32)
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    config.builder_optimization_level = options.optimisation_level
    if not options.side_by_side:
        config.max_aux_streams = 0
    if not hasattr(tensorrt, "IProgressMonitor"):  # before 9.1
        return None
    monitor = _monitor(tensorrt, on_step)
    config.progress_monitor = monitor
    return monitor


def cards(tensorrt: Any) -> tuple[int, ...]:
    """Compute capabilities that RTX builds for and the fusion kernels run on, e.g. (80, 86, 89)."""
    names = dir(tensorrt.ComputeCapability)
    known = sorted(int(name[2:]) for name in names if name.startswith("SM"))
    return tuple(sm for sm in known if sm >= OLDEST_SM)


def check_cards(tensorrt: Any, wanted: Iterable[int]) -> None:
    """Raises EngineError for a card that RTX does not build for."""
    known = cards(tensorrt)
    for sm in wanted:
        if sm not in known:
            listed = ", ".join(f"sm_{each}" for each in known)
            raise EngineError(
                f"{Edition.of(tensorrt)} builds no plan that serves on sm_{sm}, only for {listed}; "
                "a Jetson builds its own: voxgate build RECIPE, there"
            )


def _aim_at(tensorrt: Any, config: Any, sm: int) -> None:
    check_cards(tensorrt, (sm,))
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(tensorrt.ComputeCapability, f"SM{sm}"), 0)


def _monitor(tensorrt: Any, on_step: OnStep) -> Any:
    class Monitor(tensorrt.IProgressMonitor):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self) -> None:
            tensorrt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            on_step(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            on_step(phase_name, step + 1, self._steps.get(phase_name, step + 1))
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            steps = self._steps.pop(phase_name, 1)
            on_step(phase_name, steps, steps)

    return Monitor()


def _pin_types(tensorrt: Any, network: Any, config: Any, precision: str) -> None:
    """Weakly typed: allow the types that the graph has, and pin what it keeps FP32."""
    flag = tensorrt.BuilderFlag
    if precision == "int8":
        config.set_flag(flag.INT8)
    layers = [network.get_layer(number) for number in range(network.num_layers)]
    if not any(tensorrt.DataType.HALF in _types(layer) for layer in layers):
        return  # nothing but FP32 and what Q/DQ names is allowed, so nothing need be pinned
    config.set_flag(flag.FP16)
    config.set_flag(flag.OBEY_PRECISION_CONSTRAINTS)
    for layer in layers:
        if set(_types(layer)) == {tensorrt.DataType.FLOAT}:
            layer.precision = tensorrt.DataType.FLOAT
            for at in range(layer.num_outputs):
                layer.set_output_type(at, tensorrt.DataType.FLOAT)


def _types(layer: Any) -> list[Any]:
    return [layer.get_output(at).dtype for at in range(layer.num_outputs)]


def _use_timing_cache(config: Any, content: bytes, said: Said) -> Any:
    """An old cache that does not fit is left, for its timings would be wrong."""
    cache = config.create_timing_cache(content)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        said.take()
        cache = made("TensorRT makes no timing cache", said, LOOK, config.create_timing_cache, b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    return cache
