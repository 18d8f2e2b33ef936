"""Whole scans through the inspector of the box, on whichever engine is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from voxgate.export.trained.parity import ScanVerdict
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.engines.engine import Engine, Tensor
from voxgate.runtime.errors import ScanError
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Verdict
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan

THREADS = 2
NONE: Mapping[str, Engine] = MappingProxyType({})


def verdicts_of(
    folders: Sequence[Path],
    recipe: Recipe,
    engine: Engine,
    calibration: Path | None = None,
    further: Mapping[str, Engine] = NONE,
) -> list[ScanVerdict]:
    """What this engine makes of every scan, beside further ones; the engines stay open."""
    return [
        _told(folder, _verdict(folder, recipe, engine, calibration, further)) for folder in folders
    ]


def part_scores(
    folders: Sequence[Path],
    recipe: Recipe,
    engine: Engine,
    calibration: Path | None = None,
    further: Mapping[str, Engine] = NONE,
) -> dict[str, float]:
    """Part score of every good scan. Raises ScanError for one that proves nothing."""
    scores = {}
    for folder in folders:
        verdict = _verdict(folder, recipe, engine, calibration, further)
        if verdict.outcome is Outcome.INDETERMINATE or verdict.score is None:
            words = "; ".join(note.detail for note in verdict.notes[:2])
            raise ScanError(f"{folder}: this good scan proves nothing: {words}")
        scores[str(folder)] = verdict.score
    return scores


def _verdict(
    folder: Path,
    recipe: Recipe,
    engine: Engine,
    calibration: Path | None,
    further: Mapping[str, Engine],
) -> Verdict:
    scan = open_scan(folder, calibration)
    others = {name: _Lent(each) for name, each in further.items()}
    lent = Inspector(
        recipe, scan.calibration, _Lent(engine), Limits(), THREADS, further=others, golden_too=True
    )
    with closing(lent) as inspector:
        return inspect_scan(scan, inspector)


def _told(folder: Path, verdict: Verdict) -> ScanVerdict:
    reasons = frozenset(note.reason for note in verdict.notes)
    return ScanVerdict(str(folder), verdict.outcome, reasons, verdict.score)


class _Lent:
    """An engine that its borrower cannot close."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def backend(self) -> str:
        return self._engine.backend

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._engine.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._engine.outputs

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        return self._engine.run(inputs)

    def close(self) -> None:
        """It is not ours."""
