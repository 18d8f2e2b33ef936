"""A file that is not what it should be is one line and exit 2, before anything is written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from anomalib.models import EfficientAd, Patchcore

from tests.methods.agreement import exported, refused
from voxgate.benchmarks.workstation.case import at
from voxgate.benchmarks.workstation.seeded import cfm, padim, patchcore
from voxgate.benchmarks.workstation.seeded.onnx import contrast
from voxgate.benchmarks.workstation.seeded.weights import SMALL_PYRAMID, save_backbone
from voxgate.export.features.anomalib_checkpoint import AnomalibCheckpoint, anomalib_checkpoint
from voxgate.export.features.bank import load_bank
from voxgate.export.features.checkpoint import load_weights
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.onnx_file import load_onnx_file
from voxgate.runtime.errors import EngineError


def test_a_truncated_checkpoint_is_named(small_scans: Path, tmp_path: Path) -> None:
    case = patchcore.cases(tmp_path, small_scans / "golden")[0]
    path = Path(case.arguments[2])
    path.write_bytes(path.read_bytes()[:1000])
    words = refused(small_scans, tmp_path / "out", *case.arguments)
    assert str(path) in words
    assert "damaged" in words


def test_another_methods_checkpoint_is_not_taken(small_scans: Path, tmp_path: Path) -> None:
    case = padim.cases(tmp_path, small_scans / "golden")[0]
    words = refused(small_scans, tmp_path / "out", "patchcore", *case.arguments[1:])
    assert "memory bank" in words


@pytest.mark.parametrize("method", ["patchcore", "anomaly-dino"])
@pytest.mark.parametrize("named", [(), ("--checkpoint", "a.ckpt", "--weights", "w.pth")])
def test_of_two_origins_one_is_taken_without_a_word(
    method: str, named: tuple[str, ...], small_scans: Path, tmp_path: Path
) -> None:
    files = [str(tmp_path / word) if "." in word else word for word in named]
    for name in files[1::2]:
        Path(name).touch()
    words = refused(small_scans, tmp_path / "out", method, *files)
    assert words == f"{method} takes either --checkpoint, or --backbone with --weights"


def test_another_backbones_weights_name_the_layers(small_scans: Path, tmp_path: Path) -> None:
    weights = save_backbone("resnet34", tmp_path / "w.pth")
    words = refused(
        small_scans, tmp_path / "out", "patchcore", "--backbone", SMALL_PYRAMID,
        "--weights", str(weights), "--input-px", "64",
    )  # fmt: skip
    assert "layer1.2" in words
    assert "another model" in words


def test_features_that_no_graph_gives_are_named(small_scans: Path, tmp_path: Path) -> None:
    weights = save_backbone("vit_tiny_patch16_224", tmp_path / "w.pth")
    checkpoint = cfm.save_checkpoint(tmp_path, 192, 1152)  # anomalib's own shape features
    words = refused(
        small_scans, tmp_path / "out", "cfm", "--backbone", "vit_tiny_patch16_224",
        "--weights", str(weights), "--input-px", "96", "--checkpoint", str(checkpoint),
    )  # fmt: skip
    assert "1152" in words
    assert "Point-MAE" in words


def test_neither_form_is_no_form(small_scans: Path, tmp_path: Path) -> None:
    assert "--checkpoint" in refused(small_scans, tmp_path / "out", "patchcore")


def test_an_input_that_cuts_a_patch_is_refused(small_scans: Path, tmp_path: Path) -> None:
    weights = save_backbone("vit_tiny_patch16_224", tmp_path / "w.pth")
    words = refused(
        small_scans, tmp_path / "out", "m3dm", "--backbone", "vit_tiny_patch16_224",
        "--weights", str(weights), "--input-px", "100",
    )  # fmt: skip
    assert "multiple" in words


def test_a_bank_over_its_budget_says_what_would_fit(small_scans: Path, tmp_path: Path) -> None:
    weights = save_backbone(SMALL_PYRAMID, tmp_path / "w.pth")
    words = refused(
        small_scans, tmp_path / "out", "patchcore", "--backbone", SMALL_PYRAMID,
        "--weights", str(weights), "--input-px", "512", "--coreset", "1", "--bank-mb", "1",
    )  # fmt: skip
    assert "--coreset 0." in words


def test_a_model_over_its_time_is_not_written(small_scans: Path, tmp_path: Path) -> None:
    slow = ("variation", "--shape", "voxel", "--most-ms", "0")
    words = refused(small_scans, tmp_path / "out", *slow)
    assert "at most 0 are allowed" in words
    assert "--most-ms" in words


@pytest.mark.nightly  # by day its sums: graph/test_memory.py
def test_a_model_that_no_box_can_run_says_which_input_would_fit(
    small_scans: Path, tmp_path: Path
) -> None:
    weights = save_backbone(SMALL_PYRAMID, tmp_path / "w.pth")
    own = ("patchcore", "--backbone", SMALL_PYRAMID, "--weights", str(weights))
    within = (*own, "--coreset", "0.001", "--gpu-mb", "60")
    words = refused(small_scans, tmp_path / "out", *within, "--input-px", "672")
    (side,) = re.findall(r"--input-px (\d+) fits, or a larger --gpu-mb", words)
    said = exported((*within, "--input-px", side, *at(1.0)), small_scans, tmp_path / "out")
    assert 30 < said["memory_mb"] <= 60


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "sprung"),))

    torch.save({"state_dict": {"x": Trap()}}, tmp_path / "trap.ckpt")
    with pytest.raises(EngineError, match="could run as code"):
        load_weights(tmp_path / "trap.ckpt", "weights")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b"<html>"])
def test_a_pointer_instead_of_weights_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(EngineError, match="pointer or a web page"):
        load_weights(tmp_path / "w.pth", "weights")


def read_checkpoint(path: Path) -> AnomalibCheckpoint:
    return anomalib_checkpoint(path, "patchcore", Patchcore.configure_pre_processor)


LAYERS = {"state_dict": {"model.x": torch.zeros(1)}}
RESIZE = {"class_path": "torchvision.transforms.v2.Resize", "init_args": {"size": [9, 9]}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "does not say how its pictures were prepared"),
        ({"anomalib_components_enabled": {"pre_processor": False}}, "without anomalib's"),
        ({"anomalib_pre_processor_config": {"transform": None}}, "could not save"),
        ({"anomalib_pre_processor_config": "Resize"}, "cannot be read"),
        ({"anomalib_pre_processor_config": {}}, "cannot be read"),
        (
            {
                "anomalib_pre_processor_config": {
                    "transform": {"class_path": "torchvision.transforms.v2.Normalize"}
                }
            },
            "cannot be read",
        ),
        ({"state_dict": [1, 2]}, "no Lightning checkpoint"),
        ({"hyper_parameters": [1]}, "hyper_parameters are list"),
    ],
)
def test_a_checkpoint_that_does_not_say_what_its_model_sees_is_refused(
    changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    torch.save({**LAYERS, **changes}, tmp_path / "c.ckpt")
    with pytest.raises(EngineError, match=words):
        read_checkpoint(tmp_path / "c.ckpt")


def test_a_pre_processor_that_was_on_but_not_saved_is_the_classes_own(tmp_path: Path) -> None:
    said = {"anomalib_components_enabled": {"pre_processor": True}, "hyper_parameters": None}
    torch.save({**LAYERS, **said}, tmp_path / "c.ckpt")
    own = anomalib_checkpoint(
        tmp_path / "c.ckpt", "efficientad", EfficientAd.configure_pre_processor
    )
    assert own.preprocess.mean is None  # EfficientAD normalises on its own
    assert own.resized(300).preprocess.resize_px == (300, 300)
    picture = torch.rand(1, 3, 40, 50)
    assert own.resized(300).transform(picture).shape == (1, 3, 300, 300)
    assert read_checkpoint(tmp_path / "c.ckpt").preprocess.mean is not None


@pytest.mark.parametrize("cut", [0, 100, 1000])
def test_cut_weights_of_any_kind_are_one_line(cut: int, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(900)}, tmp_path / "w.safetensors")
    torch.save({"x": torch.zeros(900)}, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    np.savez(tmp_path / "bank.npz", bank=np.zeros((30, 30), np.float32))
    for name in ("w.safetensors", "w.pth", "bank.npz"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(EngineError, match=name):
            load_bank(path)


def test_an_array_called_npz_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "bank.npz").open("wb") as file:
        np.save(file, np.zeros((3, 3)))
    with pytest.raises(EngineError, match="needs an array"):
        load_bank(tmp_path / "bank.npz")


def test_weights_that_are_no_numbers_are_one_line(small_scans: Path, tmp_path: Path) -> None:
    weights = save_backbone(SMALL_PYRAMID, tmp_path / "w.pth")
    state = torch.load(weights)
    state["conv1.weight"][0] = float("nan")
    torch.save(state, weights)
    words = refused(
        small_scans, tmp_path / "out", "patchcore", "--backbone", SMALL_PYRAMID,
        "--weights", str(weights), "--input-px", "64",
    )  # fmt: skip
    assert "not finite" in words


def test_a_checkpoint_of_an_unknown_backbone_is_one_line(small_scans: Path, tmp_path: Path) -> None:
    said = {
        "state_dict": {"model.memory_bank": torch.zeros(3, 8)},
        "anomalib_pre_processor_config": {"transform": RESIZE},
        "hyper_parameters": {"backbone": "nonesuch"},
    }
    torch.save(said, tmp_path / "c.ckpt")
    words = refused(
        small_scans, tmp_path / "out", "patchcore", "--checkpoint", str(tmp_path / "c.ckpt")
    )
    assert "cannot be built" in words


def test_an_onnx_of_sequences_or_several_files_is_one_line(
    small_golden: Golden, tmp_path: Path
) -> None:
    tensor = onnx.helper.make_tensor_type_proto(onnx.TensorProto.UINT8, [1, 1, 150, 200])
    sequence = onnx.helper.make_sequence_type_proto(tensor)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["image"], ["score"])],
        "sequences",
        [onnx.helper.make_value_info("image", sequence)],
        [onnx.helper.make_value_info("score", sequence)],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    path = tmp_path / "m.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    with pytest.raises(EngineError, match="input image is a sequence"):
        load_onnx_file(small_golden, path)
    model = contrast(150, 200)
    weights = onnx.numpy_helper.from_array(np.ones(900, np.float32), "weights")
    model.graph.initializer.append(weights)
    onnx.save_model(model, path, save_as_external_data=True, size_threshold=0, location="e.bin")
    with pytest.raises(EngineError, match="save it as one file"):
        load_onnx_file(small_golden, path)


def test_a_cropped_border_is_refused(tmp_path: Path) -> None:
    crop = {"class_path": "torchvision.transforms.v2.CenterCrop", "init_args": {"size": [9, 9]}}
    torch.save(
        {
            "state_dict": {"model.x": torch.zeros(1)},
            "anomalib_pre_processor_config": {"transform": crop},
        },
        tmp_path / "c.ckpt",
    )
    with pytest.raises(EngineError, match="unproven"):
        read_checkpoint(tmp_path / "c.ckpt")


def test_a_model_that_says_the_same_everywhere_is_refused(
    small_scans: Path, tmp_path: Path
) -> None:
    from onnx import TensorProto, helper

    shape = [1, 1, 150, 200]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["grey", "grey"], ["score"]),
        ],
        "nothing",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "nothing.onnx")
    words = refused(small_scans, tmp_path / "out", "onnx", str(tmp_path / "nothing.onnx"))
    assert "same score everywhere" in words


def test_an_onnx_of_another_size_is_told_the_size(small_scans: Path, tmp_path: Path) -> None:
    onnx.save(contrast(60, 80), tmp_path / "small.onnx")
    words = refused(small_scans, tmp_path / "out", "onnx", str(tmp_path / "small.onnx"))
    assert "[1, 1, 150, 200]" in words
