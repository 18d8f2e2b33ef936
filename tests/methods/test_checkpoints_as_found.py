"""Files as trainings leave them: earlier layouts, wrapped, halved, with more than weights."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anomalib.models import EfficientAd, Patchcore
from anomalib.models.image.fastflow.torch_model import FastflowModel
from anomalib.pre_processing import PreProcessor
from torch import nn
from torchvision.transforms import v2

from tests.kits.repository import ROOT
from tests.methods.agreement import public_options
from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint, anomalib_checkpoint
from voxgate.export.features.checkpoint import load_weights
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.efficientad.load import load_efficientad
from voxgate.export.methods.fastflow import load_fastflow
from voxgate.runtime.errors import EngineError

BANK = {"model.memory_bank": torch.rand(9, 384)}


def patchcore(path: Path, prepared_px: int | None = None) -> AnomalibCheckpoint:
    return anomalib_checkpoint(path, "patchcore", Patchcore.configure_pre_processor, prepared_px)


def saved(path: Path, **content: Any) -> Path:
    torch.save({"state_dict": BANK, **content}, path)
    return path


def prepared(*steps: v2.Transform) -> PreProcessor:
    return PreProcessor(transform=v2.Compose(list(steps)))


def test_a_pre_processor_stored_as_an_object_is_not_read(tmp_path: Path) -> None:
    own = prepared(v2.Resize((48, 64), antialias=True), v2.Normalize([0.4] * 3, [0.2] * 3))
    built = {"pre_processor": own, "backbone": "resnet18"}
    read = patchcore(saved(tmp_path / "2.6.ckpt", hyper_parameters=built))
    assert read.preprocess.resize_px == (48, 64)
    assert read.preprocess.mean == (0.4, 0.4, 0.4)
    picture = torch.rand(1, 3, 90, 70)
    assert torch.allclose(read.transform(picture), own.transform(picture))


@pytest.mark.parametrize(("method", "mean"), [(Patchcore, 0.485), (EfficientAd, None)])
def test_the_classes_own_pre_processor_of_an_earlier_release_is_not_read(
    method: Any, mean: float | None, tmp_path: Path
) -> None:
    path = saved(tmp_path / "2.2.ckpt", hyper_parameters={"pre_processor": True})
    read = anomalib_checkpoint(path, "a method", method.configure_pre_processor)
    assert read.preprocess.resize_px == (256, 256)
    assert (read.preprocess.mean or (None,))[0] == mean


def test_a_file_saved_as_advised_is_refused_again(tmp_path: Path) -> None:
    torch.save(BANK, tmp_path / "plain.pth")
    with pytest.raises(EngineError, match="say --prepared-px"):
        patchcore(tmp_path / "plain.pth")
    read = patchcore(tmp_path / "plain.pth", 128)
    assert read.preprocess.resize_px == (128, 128)
    assert read.state["memory_bank"].shape == (9, 384)
    path = saved(tmp_path / "c.ckpt", hyper_parameters={"pre_processor": True})
    with pytest.raises(EngineError, match="256 x 256 px, --prepared-px 128: leave it out"):
        patchcore(path, 128)


def test_a_model_of_tiles_is_taken_for_one_of_pictures(tmp_path: Path) -> None:
    said = {"hyper_parameters": {"pre_processor": True}}
    with pytest.raises(EngineError, match="trained on tiles"):
        patchcore(saved(tmp_path / "model0_1.ckpt", **said))
    tiler: dict[str, Any] = {"TilerConfigurationCallback": {}}
    with pytest.raises(EngineError, match="trained on tiles"):
        patchcore(saved(tmp_path / "c.ckpt", callbacks=tiler, **said))


def test_a_second_step_replaces_the_first(tmp_path: Path) -> None:
    resize, grey = v2.Resize((32, 32), antialias=True), v2.Normalize([0.5] * 3, [0.25] * 3)
    twice = prepared(v2.Compose([grey]), resize, v2.Normalize([0.1, 0.2, 0.3], [2.0, 3.0, 4.0]))
    read = patchcore(saved(tmp_path / "n.ckpt", hyper_parameters={"pre_processor": twice}))
    assert read.preprocess.mean is not None
    picture = torch.rand(1, 3, 32, 32)
    ours = v2.Normalize(list(read.preprocess.mean), list(read.preprocess.std))(picture)
    assert torch.allclose(ours, twice.transform(picture), atol=1e-5)
    resized = prepared(v2.Resize((64, 64)), resize)
    with pytest.raises(EngineError, match="resizes twice"):
        patchcore(saved(tmp_path / "r.ckpt", hyper_parameters={"pre_processor": resized}))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_wrapped_or_halved_weights_are_not_weights(
    dtype: torch.dtype, prefix: str, tmp_path: Path
) -> None:
    layers = {f"{prefix}conv.weight": torch.ones(2, dtype=dtype), f"{prefix}n": torch.ones(1).int()}
    torch.save({"model_state_dict": layers, "epoch": 3}, tmp_path / "w.pth")
    state = load_weights(tmp_path / "w.pth", "weights")
    assert state["conv.weight"].dtype is torch.float32
    assert list(state) == ["conv.weight", "n"]
    compiled = {f"model.{name}": tensor for name, tensor in layers.items()}
    torch.save({"state_dict": compiled}, tmp_path / "c.ckpt")
    assert list(patchcore(tmp_path / "c.ckpt", 64).state) == ["conv.weight", "n"]


def test_public_networks_stored_as_half_end_in_torchs_words(
    small_golden: Golden, tmp_path: Path
) -> None:
    options = public_options(tmp_path)
    for path in tmp_path.glob("*.pth"):
        torch.save({n: t.half() for n, t in torch.load(path).items()}, path)
    load_efficientad(small_golden, options)


def test_harmless_things_beside_the_weights_are_refused(tmp_path: Path) -> None:
    beside = {"args": Namespace(lr=1e-3, out=tmp_path), "best": np.float64(0.9), "at": tmp_path}
    torch.save({"state_dict": {"x": torch.ones(2)}, **beside}, tmp_path / "w.pth")
    assert list(load_weights(tmp_path / "w.pth", "weights")) == ["x"]


class OwnNetwork(nn.Module):
    """A class that only its author has."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)


def test_a_whole_pickled_module_is_not_told_how_to_become_weights(tmp_path: Path) -> None:
    torch.save(OwnNetwork(), tmp_path / "whole.pth")
    with pytest.raises(
        EngineError, match=r"OwnNetwork.*without a network, type: python -c .*whole"
    ):
        load_weights(tmp_path / "whole.pth", "weights")
    torch.save({"state_dict": BANK, "model": OwnNetwork()}, tmp_path / "whole.ckpt")
    with pytest.raises(EngineError, match=r"plain\.ckpt with --prepared-px"):
        patchcore(tmp_path / "whole.ckpt")


@pytest.mark.parametrize("within", [False, True])
def test_what_is_typed_for_a_pickled_module_ends_in_pythons_words(
    within: bool, tmp_path: Path
) -> None:
    own = OwnNetwork()
    torch.save({"epoch": 3, "model": own} if within else own, tmp_path / "whole.pth")
    with pytest.raises(EngineError) as refused:
        load_weights(tmp_path / "whole.pth", "weights")
    typed = re.search(r'python -c "(.*)", and', str(refused.value))
    assert typed is not None
    where = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", typed[1]], check=True, cwd=tmp_path, env=where)
    found = load_weights(tmp_path / "weights.pth", "weights")
    assert torch.equal(found["layer.weight"], own.layer.weight)


def test_fastflows_layers_of_earlier_releases_are_unknown(
    small_golden: Golden, tmp_path: Path
) -> None:
    model = FastflowModel(input_size=(64, 64), backbone="resnet18", pre_trained=False, flow_steps=1)
    earlier = {
        f"model.{name}".replace("subnet.2.", "subnet.4.").replace("subnet.0.", "subnet.1."): tensor
        for name, tensor in model.state_dict().items()
    }
    path = tmp_path / "f.ckpt"
    built = {"backbone": "resnet18", "flow_steps": 1}
    torch.save({"state_dict": earlier, "hyper_parameters": built}, path)
    load_fastflow(small_golden, path, 64)
