"""A traced graph against the source model on one golden view: no threshold, no whole scans."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.graph.tracing import RAW, trace
from voxgate.export.source import Source


def agree(source: Source, golden: Golden) -> float:
    """Largest error of the graph's map, of the map's maximum."""
    names = [tensor.name for tensor in source.inputs]
    inputs = next(iter(golden_inputs(golden, names, source.fpfh)))
    session = ort.InferenceSession(trace(source).SerializeToString())
    (found,) = session.run([RAW], inputs)
    want = source.original(inputs)
    assert want.max() > 0
    return float(np.abs(found[0, 0] - want).max() / want.max())
