"""The variation model of MVTec 3D-AD learns from its train folder, as the data set has it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

from tests.kits.layouts_kit import write_tiff
from tests.methods.agreement import agree
from voxgate.export.golden.golden import load_golden
from voxgate.export.golden.inputs import golden_inputs
from voxgate.export.methods.mvtec.variation import VariationOptions, load_variation
from voxgate.export.progress import silent
from voxgate.runtime.cli import app
from voxgate.runtime.errors import ScanError

HEIGHT, WIDTH, FOCAL = 60, 80, 100.0


def write_samples(folder: Path, count: int) -> list[npt.NDArray[np.float64]]:
    """A box on a table, higher from sample to sample; the distances, mm."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x, y = (u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL
    found = []
    for number in range(count):
        z = np.full((HEIGHT, WIDTH), 0.4, np.float32)
        z[20:40, 30:60] = 0.38 - 0.001 * number
        points = np.stack([x * z, y * z, z], axis=-1)
        for kind in ("xyz", "rgb"):
            (folder / "bagel/train/good" / kind).mkdir(parents=True, exist_ok=True)
        write_tiff(folder / f"bagel/train/good/xyz/{number:03d}.tiff", points)
        picture = np.full((HEIGHT, WIDTH, 3), 100 + number, np.uint8)
        cv2.imwrite(str(folder / f"bagel/train/good/rgb/{number:03d}.png"), picture)
        found.append(1000 * np.sqrt((points.astype(np.float64) ** 2).sum(axis=-1)))
    (folder / "bagel/test/good/xyz").mkdir(parents=True)
    write_tiff(folder / "bagel/test/good/xyz/000.tiff", points)
    return found


def test_the_variation_of_a_train_folder_is_not_learnt(small_scans: Path, tmp_path: Path) -> None:
    distances = np.stack(write_samples(tmp_path, 5))
    out = tmp_path / "golden"
    asked = ["convert", str(tmp_path), "--part", "bagel", "--out", str(out)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    golden = load_golden(out)
    options = VariationOptions(train=tmp_path / "bagel")
    source = load_variation(golden, options, silent)
    assert agree(source, golden) < 1e-3
    assert "5 good samples" in source.provenance["trained_on"]
    given = next(iter(golden_inputs(golden, ["depth_mm", "view"])))
    mean, deviation = distances.mean(axis=0), np.maximum(distances.std(axis=0), 0.2)
    want = np.abs(distances[0] - mean) / deviation
    assert np.abs(source.original(given) - want).max() < 0.02  # depth is stored in 0.05 mm
    several = load_golden(small_scans / "golden")
    with pytest.raises(ScanError, match="is of one camera"):
        load_variation(several, options, silent)
