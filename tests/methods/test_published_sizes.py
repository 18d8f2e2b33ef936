"""Models of the papers' sizes: traced on a workstation, built for two cards, within a box's memory.

A plan of them has never run; what is held is that no graph needs what no box has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.kits.nets import SAMPLES, small_net
from voxgate.benchmarks.workstation.published import in_int8
from voxgate.benchmarks.workstation.published_models import CASES, Published, traced
from voxgate.benchmarks.workstation.seeded.weights import SMALL_VIT, save_backbone
from voxgate.export.features.backbones.load import load_tokens
from voxgate.export.features.bank_score import BankScore
from voxgate.export.graph.half import to_half
from voxgate.export.graph.int8 import quantized
from voxgate.export.graph.memory import MB, memory_of
from voxgate.export.graph.real_tensorrt import CARDS, builds, check_by_building
from voxgate.export.graph.tracing import trace
from voxgate.export.source import Source
from voxgate.export.trained.budget import GPU_MB
from voxgate.runtime.recipe.manifest import TensorSpec

LARGEST_MB = 450  # of one value: EfficientAD's student gives 768 maps of 379 x 379 px
SIDE_PX = 32


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_model_of_published_size_needs_more_than_a_box_has(
    case: Published, tmp_path: Path
) -> None:
    graph = case.graph(tmp_path)
    needs = memory_of(graph)
    assert needs.total_mb <= GPU_MB
    assert needs.largest <= LARGEST_MB * MB
    check_by_building(graph, str(case), GPU_MB)
    builds(to_half(graph), f"{case}, fp16", CARDS[-1])
    if case.quantised:
        builds(in_int8(graph), f"{case}, int8", CARDS[-1])


class Small(nn.Module):
    """Convolutions, a transformer and a bank, as the large ones have them."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.student = nn.Sequential(
            *(nn.Conv2d(3, 8, 4, stride=2, padding=3, bias=False), nn.BatchNorm2d(8)),
            *(nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, stride=2, padding=3)),
            *(nn.Conv2d(3, 3, 3, padding=2, dilation=2, groups=3),),
        )
        self.tokens = load_tokens(SMALL_VIT, weights, (SIDE_PX, SIDE_PX))
        bank = np.random.default_rng(0).random((40, 192), np.float32)
        self.score = BankScore(bank, (2, 2), reweight=3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.score(self.tokens(self.student(image.float())).flatten(2)[0].T)
        return found


def test_a_graph_that_is_traced_by_its_shapes_alone_is_another(tmp_path: Path) -> None:
    """At published size its products would take minutes; the graph must be the exporter's own."""
    network = Small(save_backbone(SMALL_VIT, tmp_path / "w.pth")).eval()
    image = TensorSpec(name="image", dtype="uint8", shape=(1, 3, SIDE_PX, SIDE_PX))

    def original(given: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        raise NotImplementedError

    assert traced(network, image) == trace(Source("small", (image,), network, original, {}))


def test_a_graph_that_is_quantised_without_a_run_is_another() -> None:
    """But for its scales."""
    by_runs, without = quantized(small_net(), SAMPLES), in_int8(small_net())
    assert by_runs != without, "the scales"
    assert described(by_runs) == described(without)


def described(model: onnx.ModelProto) -> list[object]:
    nodes = [(n.op_type, n.name, [*n.input], [*n.output]) for n in model.graph.node]
    return [*nodes, *((c.name, c.data_type, [*c.dims]) for c in model.graph.initializer)]
