"""Multi-3D-Memory (Wang et al., CVPR 2023) as SiM3D runs it (S.6): no fusion module.

Two banks, of DINO picture features and of shape features (FPFH, Point-MAE, or DINO on depth), both
in units of the picture features' deviation, as the published code standardises them. The two maps
of distances, weighted 1 and 0.1, become one by a linear one-class SVM, which is a convolution of
one pixel in the graph. A second SVM gives the paper's score of a picture; here the part's score is
the largest of the volume, so that one is kept in the provenance only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import SGDOneClassSVM
from torch import nn

from voxgate.export.features.bank import (
    BankOptions,
    UnitBank,
    build_bank,
    features_of,
    load_unit_bank,
)
from voxgate.export.features.bank_score import BankScore, published_score
from voxgate.export.features.checkpoint import sha256_of
from voxgate.export.features.patches import INPUT_OF
from voxgate.export.features.picture_and_shape import Shape, open_picture_and_shape
from voxgate.export.features.point_mae.features import PointSense
from voxgate.export.features.point_mae.options import PointsOptions
from voxgate.export.features.preprocessing import Fit, Size, ToCamera
from voxgate.export.features.published_steps import camera_map
from voxgate.export.features.weights_file import UNREADABLE
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import golden_inputs, size_px
from voxgate.export.methods.from_anomalib import versions
from voxgate.export.progress import Progress
from voxgate.export.source import RawScore, Source
from voxgate.runtime.common.text import one_line
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.sections.shapes import FpfhSection

METHOD = "m3dm"
MAP_WEIGHTS = (1.0, 0.1)  # of the picture's and the shape's distances (S.6)
NU, ITERATIONS, SEED = 0.5, 1000, 42  # of the SVMs (S.6)
NO_REWEIGHTING = 0


@dataclass(frozen=True, slots=True)
class M3dmOptions:
    """weights: of the backbone. Banks and SVM as saved files, or None: built from the golden."""

    weights: Path
    backbone: str = "dinov2_vitb14"
    shape: Shape = "depth"
    picture_bank: Path | None = None
    shape_bank: Path | None = None
    svm: Path | None = None
    input_px: int = 518
    fit: Fit = "pad"
    bank: BankOptions = field(default_factory=BankOptions)
    fpfh: FpfhSection = field(default_factory=lambda: FpfhSection(step_px=4))
    points: PointsOptions = field(default_factory=PointsOptions)


class M3dmNetwork(nn.Module):
    """Picture and shape inputs -> the SVM's score at the camera's size, at least 0."""

    coefficients: torch.Tensor

    def __init__(
        self,
        features: tuple[nn.Module, nn.Module],
        grid: Size,
        banks: tuple[UnitBank, UnitBank],
        coefficients: npt.NDArray[np.float64],
        size: Size,
        fit: Fit,
    ) -> None:
        super().__init__()
        self.picture, self.shape = features
        self.picture_score = BankScore(banks[0].rows, grid, NO_REWEIGHTING, banks[0].unit)
        self.shape_score = BankScore(banks[1].rows, grid, NO_REWEIGHTING, banks[1].unit)
        self.svm = nn.Conv2d(2, 1, 1, bias=False)
        weights = torch.from_numpy(coefficients * MAP_WEIGHTS).float()
        self.svm.weight.data = weights.reshape(1, 2, 1, 1)
        self.map = ToCamera(grid, size, fit)

    def forward(self, image: torch.Tensor, shape_input: torch.Tensor) -> torch.Tensor:
        distances = [
            self.picture_score(self.picture(image)),
            self.shape_score(self.shape(shape_input)),
        ]
        return torch.relu(self.map(self.svm(torch.cat(distances, dim=1))))


def load_m3dm(golden: Golden, options: M3dmOptions, on_progress: Progress) -> Source:
    """Raises EngineError for files that do not fit together."""
    senses = open_picture_and_shape(golden, options, points=_points(options))
    features, grid = (senses.picture, senses.shape), senses.grid
    saved = (options.picture_bank, options.shape_bank)
    views = [list(golden_inputs(golden, [INPUT_OF[k]], senses.section)) for k in senses.kinds]
    banks = _banks(features, views, saved, options, on_progress)

    def distances(given: Mapping[str, Tensor]) -> npt.NDArray[np.float64]:
        """(patches, 2), weighted."""
        columns = [
            published_score(patches, bank.rows, grid, NO_REWEIGHTING) / bank.unit
            for patches, bank in zip(senses.published(given), banks, strict=True)
        ]
        return np.stack([c.flatten().numpy() for c in columns], axis=1) * MAP_WEIGHTS

    together = ({**a, **b} for a, b in zip(*views, strict=True))
    svm, record = _svm(options.svm, (distances(given) for given in together))

    def original(given: Mapping[str, Tensor]) -> RawScore:
        score = svm.score_samples(distances(given)).reshape(1, 1, *grid)
        found = camera_map(torch.from_numpy(score).float(), senses.eye.size, options.fit)
        return np.asarray(np.maximum(found, 0.0), np.float32)

    coefficients = np.asarray(svm.coef_, np.float64).reshape(2)
    return Source(
        method=METHOD,
        inputs=senses.inputs,
        network=M3dmNetwork(features, grid, banks, coefficients, size_px(golden), options.fit),
        original=original,
        provenance={
            "backbone": options.backbone,
            "weights_sha256": sha256_of(options.weights),
            "shape": options.shape,
            "input_px": list(senses.eye.side),
            "coreset": options.bank.ratio,
            "banks": [list(bank.rows.shape) for bank in banks],
            "units": [bank.unit for bank in banks],
            "svm": record,
            "depth_range_mm": list(senses.eye.range_mm),
        },
        keep_float32=(
            "picture_score", "shape_score", "svm", "picture.picture", "shape.picture", "shape.pool",
        ),
        section=senses.section,
        input_px=options.input_px,
        tools=versions("timm", "scikit-learn"),
    )  # fmt: skip


def _points(options: M3dmOptions) -> PointSense | None:
    return options.points.open(options.fit) if options.shape == "point-mae" else None


def _banks(
    features: tuple[nn.Module, nn.Module],
    views: list[list[dict[str, Tensor]]],
    saved: tuple[Path | None, Path | None],
    options: M3dmOptions,
    on_progress: Progress,
) -> tuple[UnitBank, UnitBank]:
    seen = [list(features_of(part, inputs)) for part, inputs in zip(features, views, strict=True)]
    unit = float(np.concatenate(seen[0]).std(ddof=1))
    found = []
    for vectors, path in zip(seen, saved, strict=True):
        if path is None:
            bank = UnitBank(build_bank(vectors, options.bank, on_progress), unit)
        else:
            bank = load_unit_bank(path)
        width = vectors[0].shape[1]
        if bank.rows.shape[1] != width:
            raise EngineError(
                f"{path}: its vectors have {bank.rows.shape[1]} features, {width} are seen here"
            )
        found.append(bank)
    return found[0], found[1]


def _svm(
    path: Path | None, golden: Iterable[npt.NDArray[np.float64]]
) -> tuple[SGDOneClassSVM, dict[str, Any]]:
    """The map's SVM, saved or fitted on the golden views, and what to record of both."""
    svm = SGDOneClassSVM(nu=NU, max_iter=ITERATIONS, random_state=SEED)
    if path is not None:
        svm.coef_, svm.offset_ = _saved_svm(path)
        record: dict[str, Any] = {"source": path.name, "sha256": sha256_of(path)}
    else:
        maps = list(golden)
        svm.fit(np.concatenate(maps))
        pictures = SGDOneClassSVM(nu=NU, max_iter=ITERATIONS, random_state=SEED)
        pictures.fit(np.stack([found.max(axis=0) for found in maps]))
        record = {
            "source": "golden scan",
            "of_pictures": [float(c) for c in np.ravel(pictures.coef_)],
        }
    coefficients = [float(c) for c in np.ravel(svm.coef_)]
    if not (min(coefficients) >= 0 and max(coefficients) > 0):  # so that NaN does not pass
        raise EngineError(
            f"the one-class SVM weights distances by {coefficients}: where one is negative, the "
            "farthest patch would be the most normal; fit it again"
        )
    return svm, {**record, "of_maps": coefficients}


def _saved_svm(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            coefficients = np.asarray(file["coef"], np.float64).reshape(1, 2)
            return coefficients, np.asarray(file["offset"], np.float64).reshape(1)
    except UNREADABLE as error:
        raise EngineError(
            f"{path}: needs coef (2,) and offset: np.savez(file, coef=svm.coef_, "
            f"offset=svm.offset_): {one_line(error)}"
        ) from error
