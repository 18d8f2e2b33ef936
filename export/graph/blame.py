"""Which layers are off: the outputs of each group of layers, compared one after the other.

A group is what stands under one name in the graph, `/backbone/layer1`: the module it was traced
from. Two graphs are compared at the tensors they share, a graph and its module at what the module
gives out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

from voxgate.runtime.engines.engine import Tensor

if TYPE_CHECKING:
    from voxgate.export.source import Source

DEPTH = 2  # levels of a name that make a group
UNKNOWN = "not to be told from single layers"

Values = dict[str, npt.NDArray[np.generic]]


def blamed_layers(
    before: onnx.ModelProto, after: onnx.ModelProto, sample: Mapping[str, Tensor], limit: float
) -> str:
    """The first group of `after` that differs from `before` by more than `limit`, and by how much.

    Relative to the largest value of the tensor; the worst group when none alone is over it.
    """
    shared = {name for node in after.graph.node for name in node.output}
    ends = [(group, name) for group, name in group_ends(before) if name in shared]
    names = [name for _, name in ends]
    was, now = values_of(before, names, sample), values_of(after, names, sample)
    return _first([(group, _relative(was[name], now[name])) for group, name in ends], limit)


def blamed_modules(
    source: Source, graph: onnx.ModelProto, sample: Mapping[str, Tensor], limit: float
) -> str:
    """The first module of the source's network whose output the graph does not give."""
    import torch

    if source.network is None:
        return UNKNOWN
    seen: dict[str, npt.NDArray[np.generic]] = {}
    hooks = [
        module.register_forward_hook(_keep(f"/{name.replace('.', '/')}", seen))
        for name, module in source.network.named_modules()
        if name and name.count(".") < DEPTH
    ]
    with torch.no_grad():
        source.network(*(torch.from_numpy(np.array(sample[s.name])) for s in source.inputs))
    for hook in hooks:
        hook.remove()
    ends = [(group, name) for group, name in group_ends(graph) if group in seen]
    now = values_of(graph, [name for _, name in ends], sample)
    errors = [
        (group, _relative(seen[group], now[name]))
        for group, name in ends
        if seen[group].shape == now[name].shape
    ]
    return _first(errors, limit)


def group_ends(model: onnx.ModelProto) -> list[tuple[str, str]]:
    """(group, tensor) in the graph's order: the last tensor each group makes."""
    last: dict[str, str] = {}
    for node in model.graph.node:
        parts = node.name.strip("/").split("/")[:-1][:DEPTH]
        for depth in range(1, len(parts) + 1):
            group = "/" + "/".join(parts[:depth])
            last.pop(group, None)  # so that a group stands where it ends
            last[group] = node.output[0]
    return list(last.items())


def values_of(model: onnx.ModelProto, names: Sequence[str], sample: Mapping[str, Tensor]) -> Values:
    """What these tensors hold for one sample."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    outputs = {output.name for output in watched.graph.output}
    wanted = sorted(set(names) - outputs)
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in wanted)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(watched.SerializeToString(), options)
    asked = sorted(set(names))
    return dict(zip(asked, session.run(asked, dict(sample)), strict=True))


def _first(errors: Sequence[tuple[str, float]], limit: float) -> str:
    over = [(group, error) for group, error in errors if not error <= limit]
    if over:
        group, error = over[0]
    elif errors:
        group, error = max(errors, key=lambda pair: pair[1])
    else:
        return UNKNOWN
    return f"{group} ({error:.2g} of its largest value)"


def _relative(was: npt.NDArray[np.generic], now: npt.NDArray[np.generic]) -> float:
    a, b = np.asarray(was, np.float64), np.asarray(now, np.float64)
    if a.shape != b.shape:
        return float("inf")
    return float(np.abs(a - b).max() / max(float(np.abs(a).max()), 1e-12)) if a.size else 0.0


def _keep(group: str, seen: dict[str, npt.NDArray[np.generic]]):  # type: ignore[no-untyped-def]
    def hook(_module: object, _given: object, found: object) -> None:
        import torch

        if isinstance(found, torch.Tensor):
            seen[group] = found.numpy()

    return hook
