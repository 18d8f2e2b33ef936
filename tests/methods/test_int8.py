"""Ranges of INT8 reach beyond the golden part."""

from __future__ import annotations

import numpy as np

from tests.kits.nets import SAMPLES, run, small_net
from voxgate.export.graph.int8 import quantized
from voxgate.export.source import Source
from voxgate.export.trained.samples import Sample, SeenAgain
from voxgate.export.trained.trained import _graphs


def test_int8_does_not_cut_off_what_is_brighter_than_the_golden_part() -> None:
    dim = [Sample({"image": s["image"] // 4}) for s in SAMPLES]
    seen = SeenAgain([dim], mild=[], wild=[], teaching=[Sample(dict(SAMPLES[1]))])
    source = Source("small", (), None, lambda _: np.zeros((16, 16), np.float32), {})
    graphs = _graphs(small_net(), source, seen, "int8")
    want, found = run(graphs["fp32"]), run(graphs["int8"])
    assert found.max() > 0.95 * want.max()
    assert run(quantized(small_net(), [s.inputs for s in dim])).max() < 0.7 * want.max()
