"""A traced graph against the source model on one golden view: no threshold, no whole scans."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from export.golden import Golden
from export.golden_inputs import golden_inputs
from export.source import Source
from export.tracing import RAW, trace


def agree(source: Source, golden: Golden) -> float:
    """Largest error of the graph's map, of the map's maximum."""
    names = [tensor.name for tensor in source.inputs]
    inputs = next(iter(golden_inputs(golden, names, source.fpfh)))
    session = ort.InferenceSession(trace(source).SerializeToString())
    (found,) = session.run([RAW], inputs)
    want = source.original(inputs)
    assert want.max() > 0
    return float(np.abs(found[0, 0] - want).max() / want.max())
