"""Scores that were made elsewhere, judged as if a recipe had given them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Case, Kind, PictureCase, SceneCase, VolumeCase
from voxgate.export.evaluation.judges.case_records import (
    Judged,
    Judgement,
    judged_picture,
    judged_scene,
    judged_volume,
)
from voxgate.export.evaluation.metrics.labelled_volume import label_volume
from voxgate.export.evaluation.records import Arrays
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError, VoxGateError


@dataclass(frozen=True, slots=True)
class StoredScores:
    """Scores that were made elsewhere: `<case>.npz` under one folder.

    volume: `volume` (X, Y, Z), or `ijk` (n, 3) with `score` (n,), in the truth's grid; picture:
    `map` (h, w); scene: `boxes` (m, 6) with `score` (m,). `part_score` () overrides the maximum.
    """

    folder: Path
    kind: Kind

    def judge(self, case: Case, key: str) -> Judged:
        """What the file says of the case, with what is true. Raises EngineError."""
        path = self.folder / f"{case.name}.npz"
        with _explained(path):
            arrays = _arrays(path)
            if self.kind == "volume":
                return _volume(cast(VolumeCase, case), key, arrays)
            if self.kind == "picture":
                return _picture(cast(PictureCase, case), key, arrays)
            return _scene(cast(SceneCase, case), key, arrays)

    def close(self) -> None:
        """Nothing is open."""


def _arrays(path: Path) -> Arrays:
    """Raises EngineError for a file that is no .npz, or not a whole one."""
    try:
        with path.open("rb") as stored, np.load(stored, allow_pickle=False) as file:
            return dict(file.items())
    except FileNotFoundError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        TypeError,
        AttributeError,
        BadZipFile,
        zlib.error,
    ) as why:
        raise EngineError(f"{path}: is no whole .npz ({one_line(why)}): store it again") from why


def _volume(case: VolumeCase, key: str, arrays: Arrays) -> Judged:
    truth, shape = case.truth(), case.grid().shape
    ijk, score = _voxels(arrays, shape)
    labelled, where = label_volume(ijk, score, truth, shape)
    said = Judgement(_part_score(arrays, score))
    return judged_volume(case, key, truth.anomalous, labelled, where, said)


def _voxels(
    arrays: Arrays, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    if "volume" not in arrays:
        return arrays["ijk"].astype(np.int32), arrays["score"].astype(np.float32)
    dense = arrays["volume"].astype(np.float32)
    if dense.shape != shape:
        raise ValueError(f"volume is {dense.shape}, the truth's grid {shape}")
    ijk = np.argwhere(dense != 0).astype(np.int32)
    return ijk, dense[tuple(ijk.T)]


def _picture(case: PictureCase, key: str, arrays: Arrays) -> Judged:
    score = arrays["map"].astype(np.float32)
    return judged_picture(
        case, key, score, Judgement(_part_score(arrays, score), stage_ms={"engine": [0.0]})
    )


def _scene(case: SceneCase, key: str, arrays: Arrays) -> Judged:
    boxes, score = arrays["boxes"].astype(np.float64), arrays["score"].astype(np.float64)
    return judged_scene(case, key, boxes, score)


def _part_score(arrays: Arrays, score: npt.NDArray[np.float32]) -> float:
    return float(arrays["part_score"]) if "part_score" in arrays else float(score.max(initial=0.0))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise EngineError(f"{path}: no such file; every case needs its scores") from error
    except VoxGateError:
        raise
    except (OSError, KeyError, ValueError) as error:
        raise EngineError(f"{path}: {one_line(error, most=None)}") from error
