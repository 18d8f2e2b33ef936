"""Files as trainings leave them: earlier layouts, wrapped, halved, with more than weights."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import tarfile
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

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
from voxgate.benchmarks.workstation.seeded.weights import save_backbone
from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint, anomalib_checkpoint
from voxgate.export.features.backbones.load import load_pyramid, load_tokens
from voxgate.export.features.checkpoint import load_state, load_weights
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


LAYERS = {"conv.weight": torch.ones(2), "conv.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"model": LAYERS}},
        {"model": {"state_dict": LAYERS}, "epoch": 3},
        {"model": {"name": "resnet", "depth": 18}, "network": LAYERS},
        {"state_dict_ema": LAYERS, "epoch": 3},
        {"model": LAYERS, "model_ema": {n: t + 1 for n, t in LAYERS.items()}},
        {"params": LAYERS, "weights": {}},
        {"model": nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 1)))},
    ],
)
def test_layers_in_two_wrappers_or_of_other_names_are_not_found(
    content: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "w.pth")
    found = load_weights(tmp_path / "w.pth", "weights")
    assert list(found) == list(LAYERS)
    if isinstance(content.get("model"), dict) and "model_ema" in content:
        assert torch.equal(found["conv.weight"], LAYERS["conv.weight"])


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_a_backbone_within_a_system_is_another_model(name: str, tmp_path: Path) -> None:
    alone = save_backbone(name, tmp_path / "alone.pth")
    layers = torch.load(alone)
    whole, two = tmp_path / "whole.pth", tmp_path / "two.pth"
    own = {f"encoder.backbone.{layer}": tensor for layer, tensor in layers.items()}
    torch.save({"state_dict": own | {"encoder.head.weight": torch.ones(2)}}, whole)
    torch.save({f"{of}.{n}": t for of in ("student", "teacher") for n, t in layers.items()}, two)

    def opened(path: Path) -> nn.Module:
        if "vit" in name:
            return load_tokens(name, path, (32, 32))
        return load_pyramid(name, path, ("layer1",))

    want, found = (opened(path).state_dict() for path in (alone, whole))
    assert all(torch.equal(found[layer], want[layer]) for layer in want)
    with pytest.raises(EngineError, match=r"holds student\. and teacher\., each a backbone"):
        opened(two)


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


def as_typed(refused: str, folder: Path) -> None:
    """Run what the message tells to type, where the class is known."""
    typed = re.search(r'python -c "(.*)", and', refused)
    assert typed is not None
    where = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", typed[1]], check=True, cwd=folder, env=where)


class OwnModule(nn.Module):
    """As anomalib's `export --export_type torch` leaves one: the module, no state_dict."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(2, 2)
        self.hparams = {"backbone": "resnet18", "optimizer": self.model}


@pytest.mark.parametrize("within", [False, True])
def test_what_is_typed_for_an_exported_module_ends_in_pythons_words(
    within: bool, tmp_path: Path
) -> None:
    own = OwnModule()
    torch.save({"model": own} if within else own, tmp_path / "model.pt")
    with pytest.raises(EngineError) as refused:
        patchcore(tmp_path / "model.pt")
    as_typed(str(refused.value), tmp_path)
    read = patchcore(tmp_path / "plain.ckpt", 64)
    assert torch.equal(read.state["weight"], own.model.weight)
    assert dict(read.hyper_parameters) == {"backbone": "resnet18"}


@pytest.mark.parametrize("within", [False, True])
def test_what_is_typed_for_a_pickled_module_ends_in_pythons_words(
    within: bool, tmp_path: Path
) -> None:
    own = OwnNetwork()
    torch.save({"epoch": 3, "model": own} if within else own, tmp_path / "whole.pth")
    with pytest.raises(EngineError) as refused:
        load_weights(tmp_path / "whole.pth", "weights")
    as_typed(str(refused.value), tmp_path)
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


def changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(99) + content[middle + 99 :]


def archive(path: Path, name: str = "a.txt") -> None:
    with ZipFile(path, "w") as file:
        file.writestr(name, "hello")


def in_a_tar(path: Path) -> None:
    saved(path.with_name("inner.pth"))
    with tarfile.open(path, "w") as file:
        file.add(path.with_name("inner.pth"), "inner.pth")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_bytes(changed(saved(path).read_bytes())), "has changed: fetch"),
        (lambda path: path.write_text("hello world, no weights"), "damaged or not weights"),
        (lambda path: path.write_text('{"epochs": 3}'), "damaged or not weights"),
        (lambda path: path.write_bytes(b"\x08\x08\x12\x07pytorch"), "damaged or not weights"),
        (lambda path: path.write_text("<?xml version='1.0'?><Error/>"), "a web page"),
        (lambda path: path.write_text("\n<!doctype html><html>"), "a web page"),
        (lambda path: path.write_bytes(gzip.compress(saved(path).read_bytes())), "unpack it"),
        (in_a_tar, "unpack it"),
        (archive, "damaged or not weights"),
        (lambda path: torch.jit.script(nn.Linear(2, 2)).save(path), "is TorchScript, a program"),
    ],
    ids=["changed", "text", "json", "onnx", "xml", "html", "gzip", "tar", "zip", "script"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")
def test_a_file_that_holds_no_weights_is_one_that_might_run_as_code(
    write: Callable[[Path], Any], words: str, tmp_path: Path
) -> None:
    write(tmp_path / "w.pth")
    with pytest.raises(EngineError, match=words) as refused:
        load_weights(tmp_path / "w.pth", "weights")
    assert "weights_only" not in str(refused.value)


@pytest.mark.parametrize("name", ["model.bin", "model.pth", "model.SAFETENSORS"])
def test_safetensors_of_another_ending_are_damaged(name: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(LAYERS, tmp_path / name)
    assert sorted(load_weights(tmp_path / name, "weights")) == sorted(LAYERS)
    saved(tmp_path / "other.safetensors")
    assert list(load_weights(tmp_path / "other.safetensors", "weights")) == list(BANK)


def test_quantised_weights_are_taken_for_numbers(tmp_path: Path) -> None:
    layers = {name: (9 * tensor).to(torch.int8) for name, tensor in LAYERS.items()}
    with pytest.raises(EngineError, match=r"conv\.weight is int8: these weights were quantised"):
        load_state(nn.Sequential(OrderedDict(conv=nn.BatchNorm1d(2))), layers, tmp_path)


def test_layers_beside_a_path_of_an_old_file_cannot_be_typed_out(tmp_path: Path) -> None:
    """Before torch 1.6 files were no archives, and what is in them cannot be looked through."""
    content = {"args": {"lr": 1e-3}, "state_dict": LAYERS, "at": tmp_path}
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(EngineError) as refused:
        load_weights(tmp_path / "old.pth", "weights")
    as_typed(str(refused.value), tmp_path)
    assert list(load_weights(tmp_path / "weights.pth", "weights")) == list(LAYERS)


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"model": {"memory_bank": BANK["model.memory_bank"]}}},
        {"model": BANK, "epoch": 3},
        {"state_dict": {f"_orig_mod.{name}": tensor for name, tensor in BANK.items()}},
        {"state_dict": {f"module.{name}": tensor for name, tensor in BANK.items()}},
    ],
)
def test_a_checkpoint_in_two_wrappers_has_no_layers(
    content: dict[str, Any], tmp_path: Path
) -> None:
    said = {"hyper_parameters": {"pre_processor": True}}
    torch.save({**content, **said}, tmp_path / "c.ckpt")
    assert list(patchcore(tmp_path / "c.ckpt").state) == ["memory_bank"]
