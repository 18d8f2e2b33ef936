"""Methods on the tokens of a DINO: what they leave out, put elsewhere or leave behind."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from anomalib.models import Dinomaly
from timm.models import vision_transformer

from tests.methods.agreement import agree, refused
from voxgate.benchmarks.workstation.seeded import patchcore
from voxgate.benchmarks.workstation.seeded.tokens import anomaly_dino, dinomaly, inp_former
from voxgate.benchmarks.workstation.seeded.tokens.small_dino import WITH_REGISTERS
from voxgate.export.features.anomalib_checkpoint import anomalib_checkpoint
from voxgate.export.features.bank import BankOptions
from voxgate.export.golden.golden import Golden
from voxgate.export.methods.tokens.anomaly_dino import (
    AnomalyDinoOptions,
    load_anomaly_dino,
    turned,
)
from voxgate.export.methods.tokens.dinomaly import load_dinomaly
from voxgate.export.methods.tokens.encoder import as_in_anomalib, placed, shallow
from voxgate.export.methods.tokens.foreground import Foreground, published_foreground
from voxgate.export.methods.tokens.inp_former import load_inp_former
from voxgate.export.methods.tokens.whole_picture import WholePicture
from voxgate.export.progress import silent
from voxgate.runtime.errors import EngineError

WHOLE_PX, MIDDLE_PX = 98, 70


def checkpoint(path: Path) -> Path:
    return dinomaly.save_checkpoint(path, WITH_REGISTERS, WHOLE_PX, MIDDLE_PX)


def test_the_middle_of_a_cropped_picture_is_scored_otherwise_than_by_anomalib(
    tmp_path: Path,
) -> None:
    """anomalib's own model behind its own pre-processor, against what the graph has there."""
    path = checkpoint(tmp_path / "c.ckpt")
    read = anomalib_checkpoint(path, "dinomaly", Dinomaly.configure_pre_processor, may_crop=True)
    with as_in_anomalib():
        module = Dinomaly(
            encoder_name=WITH_REGISTERS,
            pre_processor=Dinomaly.configure_pre_processor((WHOLE_PX, WHOLE_PX), MIDDLE_PX),
        ).eval()
        module.load_state_dict(torch.load(path, weights_only=False)["state_dict"])
        image = torch.from_numpy(
            np.random.default_rng(2).integers(0, 255, (1, 3, WHOLE_PX, WHOLE_PX), np.uint8)
        )
        with torch.no_grad():
            want = module.model(module.pre_processor(image / 255.0)).anomaly_map[0, 0]
    whole, middle = (_at(module.model, (side, side)) for side in (WHOLE_PX, MIDDLE_PX))
    network = WholePicture(whole, middle, read, (WHOLE_PX, WHOLE_PX)).eval()
    with torch.no_grad():
        found = network(image)[0, 0]
        around = WholePicture(whole, None, read, (WHOLE_PX, WHOLE_PX)).eval()(image)[0, 0]
    edge = (WHOLE_PX - MIDDLE_PX) // 2
    inner = slice(edge, edge + MIDDLE_PX)
    assert (found[inner, inner] - want).abs().max() < 1e-5
    assert (around[inner, inner] - want).abs().max() > 1e-3  # the crop is seen
    found[inner, inner] = around[inner, inner] = 0
    assert torch.equal(found, around)
    assert found[:edge].min() > 0  # nothing outside is left unscored


def _at(model: torch.nn.Module, side: tuple[int, int]) -> torch.nn.Module:
    found = shallow(model)
    found.encoder = placed(model.encoder, side)
    return found


def test_an_export_changes_how_others_place_their_patches(
    small_golden: Golden, tmp_path: Path
) -> None:
    """anomalib exchanges a function of timm's for the rest of the process."""
    before = vision_transformer.resample_abs_pos_embed
    source = load_dinomaly(small_golden, checkpoint(tmp_path / "c.ckpt"))
    assert source.provenance["crop_px"] == [MIDDLE_PX, MIDDLE_PX]
    assert agree(source, small_golden) < 1e-4
    assert vision_transformer.resample_abs_pos_embed is before


def tokens(seed: int, grid: tuple[int, int]) -> torch.Tensor:
    """(n, 16): a part in the middle, turned the other way for every other seed."""
    rng = np.random.default_rng(seed)
    part = np.zeros(grid, np.float32)
    cv2.ellipse(part, (grid[1] // 2, grid[0] // 2), (grid[1] // 3, grid[0] // 4), 20, 0, 360, 1, -1)
    part[rng.random(grid) < 0.1] = 0.5  # holes, and patches on their own
    axis = rng.normal(size=16) * (1 if seed % 2 else -1)
    found = 30 * part.reshape(-1, 1) * axis / np.linalg.norm(axis)
    return torch.from_numpy((found + rng.normal(size=(part.size, 16))).astype(np.float32))


@pytest.mark.parametrize("seed", range(6))
def test_another_foreground_is_compared_than_the_published_one(seed: int) -> None:
    grid = (20, 26)
    given = tokens(seed, grid)
    found = Foreground(grid, 16)(given).numpy().reshape(-1) > 0
    assert np.array_equal(found, published_foreground(given, grid))
    assert 0.1 < found.mean() < 0.9


def test_a_golden_view_is_turned_the_other_way() -> None:
    """About (w / 2, h / 2), which lies between pixels: a quarter goes to the rows one below."""
    rng = np.random.default_rng(0)
    image: npt.NDArray[np.uint8] = rng.integers(0, 255, (1, 3, 31, 31), np.uint8)
    assert np.array_equal(turned(image, 0), image)
    quarter = turned(image, 90)
    assert np.array_equal(quarter[..., 1:, :], np.rot90(image, axes=(2, 3))[..., :-1, :])
    assert turned(image[:, :1], 45).shape == (1, 1, 31, 31)


def test_turned_views_are_not_remembered(small_golden: Golden, tmp_path: Path) -> None:
    weights = anomaly_dino.save_weights(tmp_path / "w.pth")
    few = BankOptions(0.05)
    alone, more = (
        load_anomaly_dino(
            small_golden,
            AnomalyDinoOptions(weights=weights, input_px=42, turned=each, bank=few),
            silent,
        )
        for each in (False, True)
    )
    assert more.provenance["bank"][0] == pytest.approx(8 * alone.provenance["bank"][0], abs=8)
    assert alone.provenance["input_px"] == [42, 56]  # the whole picture, in whole patches
    assert agree(more, small_golden) < 1e-4


def test_another_models_checkpoint_is_taken(small_scans: Path, tmp_path: Path) -> None:
    other = Path(patchcore.cases(tmp_path, small_scans / "golden")[0].arguments[2])
    for method in ("dinomaly", "inp-former", "uninet", "anomaly-dino"):
        said = refused(small_scans, tmp_path / "out", method, "--checkpoint", str(other))
        assert "another model" in said, method


def test_an_unfitted_memory_is_a_recipe(small_golden: Golden, tmp_path: Path) -> None:
    torch.save(
        {"state_dict": {"model.x": torch.ones(1)}, "hyper_parameters": {"pre_processor": True}},
        tmp_path / "c.ckpt",
    )
    with pytest.raises(EngineError, match="was it fitted"):
        load_anomaly_dino(small_golden, AnomalyDinoOptions(checkpoint=tmp_path / "c.ckpt"), silent)
    with pytest.raises(EngineError, match="either --checkpoint"):
        load_anomaly_dino(small_golden, AnomalyDinoOptions(), silent)


def test_a_strip_beside_the_patches_is_not_scored(small_golden: Golden, tmp_path: Path) -> None:
    """anomalib cuts it off and repeats what lies beside it."""
    path = anomaly_dino.save_checkpoint(tmp_path / "c.ckpt", 100)
    with pytest.raises(EngineError, match="train it on a multiple of 14"):
        load_anomaly_dino(small_golden, AnomalyDinoOptions(checkpoint=path), silent)


def test_an_encoder_of_earlier_releases_is_taken_for_todays(
    small_golden: Golden, tmp_path: Path
) -> None:
    layers = {"model.encoder.blocks.0.norm1.weight": torch.ones(3)}
    said = {"pre_processor": True, "encoder_name": "dinov2reg_vit_base_14"}
    torch.save({"state_dict": layers, "hyper_parameters": said}, tmp_path / "c.ckpt")
    with pytest.raises(EngineError, match=r"before 2\.5\.1"):
        load_dinomaly(small_golden, tmp_path / "c.ckpt")


def test_a_picture_that_is_no_square_ends_in_torchs_words(
    small_golden: Golden, tmp_path: Path
) -> None:
    path = inp_former.save_checkpoint(tmp_path / "c.ckpt", WITH_REGISTERS, (84, 98), 84)
    with pytest.raises(EngineError, match="train it on a square"):
        load_inp_former(small_golden, path)
