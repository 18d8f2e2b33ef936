"""A file that is not what it should be is one line and exit 2, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from benchmarks.seeded import cfm, padim, patchcore
from benchmarks.seeded.weights import SMALL_PYRAMID, save_backbone
from export.checkpoint import anomalib_checkpoint, load_weights
from runtime.cli import app
from runtime.errors import EngineError, VoxGateError


def refused(scans: Path, out: Path, *arguments: str) -> str:
    """The one line that the command says no with."""
    command = ["export", *arguments, "--scan", str(scans / "golden"), "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, VoxGateError), done.output
    assert not out.exists()
    words = str(done.exception)
    assert "\n" not in words
    return words


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
        anomalib_checkpoint(tmp_path / "c.ckpt", "patchcore")


def test_a_model_that_says_the_same_everywhere_is_refused(
    small_scans: Path, tmp_path: Path
) -> None:
    import onnx
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
    import onnx

    from benchmarks.seeded.onnx import contrast

    onnx.save(contrast(60, 80), tmp_path / "small.onnx")
    words = refused(small_scans, tmp_path / "out", "onnx", str(tmp_path / "small.onnx"))
    assert "[1, 1, 150, 200]" in words
