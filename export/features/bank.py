"""A memory bank from a golden scan: features of every view, thinned to a coreset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from voxgate.export.features.checkpoint import load_weights
from voxgate.export.features.coreset import coreset
from voxgate.export.features.nearest import nearest_rows
from voxgate.export.features.weights_file import UNREADABLE
from voxgate.export.progress import Progress
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

FLOAT_BYTES = 4
MB = 1e6
COPIES = 2  # the rows themselves, and rounded ones for the search
SCALE_ROWS = 4096  # rows on which a bank's own spacing is measured

Bank = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BankOptions:
    """ratio: share of the golden patches that is kept (PatchCore: 0.1 or 0.01, SiM3D S.6: 0.1)."""

    ratio: float = 0.1
    seed: int = 0
    most_mb: float = 512.0


@dataclass(frozen=True, slots=True, eq=False)
class UnitBank:
    """rows (n, d) as they were seen; unit: what distances to them are counted in."""

    rows: Bank
    unit: float = 1.0


class Embed(nn.Module):
    """Maps of several layers -> one vector per patch of the first, (n, d).

    3 x 3 means around each patch, deeper layers enlarged to the first, channels side by side
    (PatchCore section 3.1). A single map is taken as it is (SiM3D S.6: tokens of DINO).
    """

    def __init__(self, pooled: bool = True) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(3, 1, 1) if pooled else nn.Identity()

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        pooled = [self.pool(layer) for layer in maps]
        size = pooled[0].shape[-2:]
        deeper = [functional.interpolate(layer, size=size, mode="bilinear") for layer in pooled[1:]]
        joined = torch.cat([pooled[0], *deeper], dim=1)
        return joined.permute(0, 2, 3, 1).reshape(-1, joined.shape[1])


def build_bank(vectors: Iterable[Bank], options: BankOptions, on_progress: Progress) -> Bank:
    """The coreset of all views' vectors (n, d). Raises EngineError when it would be too large, or
    holds no numbers."""
    found = np.concatenate(list(vectors)).astype(np.float32)
    if not np.isfinite(found).all():
        raise EngineError(
            "the golden scan's features are not finite: are these the weights of this backbone?"
        )
    check_budget(int(len(found) * options.ratio), found.shape[1], options, len(found))
    if options.ratio == 1.0:
        return found
    kept = coreset(found, options.ratio, seed=options.seed, on_progress=on_progress)
    return np.ascontiguousarray(found[np.sort(kept)])


def check_budget(rows: int, features: int, options: BankOptions, of: int) -> None:
    """Raises EngineError with the ratio that would fit."""
    size_mb = bank_mb(rows, features)
    if size_mb > options.most_mb:
        fits = options.most_mb / bank_mb(of, features)
        raise EngineError(
            f"a bank of {rows} x {features} takes {size_mb:.0f} MB in the recipe, at most "
            f"{options.most_mb:.0f} are allowed: choose --coreset {fits:.3g} or a larger --bank-mb"
        )


def bank_mb(rows: int, features: int) -> float:
    """What it takes in the graph."""
    return rows * features * FLOAT_BYTES * COPIES / MB


def load_bank(path: Path) -> Bank:
    """A saved bank (rows, features): `bank` of an .npz, or the one tensor of a .pt.

    Raises EngineError.
    """
    if path.suffix == ".npz":
        found = _from_npz(path)
    else:
        tensors = list(load_weights(path, "a memory bank").values())
        if len(tensors) != 1:
            raise EngineError(
                f"{path}: holds {len(tensors)} tensors, a bank is one: (rows, features)"
            )
        found = tensors[0].float().numpy()
    if found.ndim != 2 or not len(found) or not np.isfinite(found).all():
        raise EngineError(
            f"{path}: a bank is (rows, features) of finite numbers, {found.shape} is not"
        )
    return np.ascontiguousarray(found, np.float32)


def load_unit_bank(path: Path) -> UnitBank:
    """A saved bank; standardised rows go back by the numbers `mean` and `std` of their .npz.

    Raises EngineError.
    """
    rows = load_bank(path)
    if path.suffix != ".npz":
        return UnitBank(rows)
    with np.load(path, allow_pickle=False) as file:
        if "std" not in file:
            return UnitBank(rows)
        mean, unit = (float(np.asarray(file[name]).item()) for name in ("mean", "std"))
    if not (np.isfinite(mean) and np.isfinite(unit) and unit > 0):
        raise EngineError(
            f"{path}: its rows were standardised by {mean:g} and {unit:g}: no numbers"
        )
    return UnitBank(rows * np.float32(unit) + np.float32(mean), unit)


def spacing(bank: Bank) -> float:
    """Mean distance of a bank's rows to their nearest other: the scale of its distances."""
    some = bank[:: max(1, len(bank) // SCALE_ROWS)]
    if len(some) < 2:
        return 1.0
    other = some[nearest_rows(some, 2)[:, 1]]
    return max(float(np.linalg.norm(some - other, axis=1).mean()), 1e-6)


def features_of(
    network: Callable[..., torch.Tensor], inputs: Iterable[dict[str, Any]]
) -> Iterable[Bank]:
    """(n, d) vectors of each view, one view in memory at a time."""
    for given in inputs:
        with torch.no_grad():
            tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in given.values()]
            yield network(*tensors).numpy()


def _from_npz(path: Path) -> Bank:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found: Bank = file["bank"]
            return found
    except UNREADABLE as error:
        raise EngineError(
            f"{path}: needs an array `bank` (rows, features): {one_line(error)}"
        ) from error
