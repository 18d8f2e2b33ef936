"""Each detector alone against all of them ("All AD"), by every forest: SegAD's ablation.

Without parts of their own for it, rows are held out in turn. They come from the same scans as the
rest, so these figures rank the choices; they don't tell how good the classifier is on other parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table as Shown

from voxgate.export.evaluation.metrics.detection import classification_auroc
from voxgate.export.quality.forests import FOREST_KINDS, grown, margins
from voxgate.export.quality.scorer import Table
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.classifier.zone_statistics import LARGEST

ALL = "All AD"
FOLDS = 5
SEED = 23

Margins = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """Cl. AUROC by one detector, or all: of its largest score, and of each kind of forest."""

    detector: str
    largest: float
    forests: dict[str, float]


def against(train: Table, test: Table, kinds: Sequence[str] = FOREST_KINDS) -> tuple[Row, ...]:
    """Trained on one table, judged on another one of the same columns.

    Raises EngineError when a table has parts of one kind only.
    """
    return tuple(
        Row(
            name,
            _auroc(_largest(test.only(channels)), test.bad),
            {
                kind: _auroc(_margins(train.only(channels), test.only(channels), kind), test.bad)
                for kind in kinds
            },
        )
        for name, channels in _choices(train)
    )


def held_out(
    table: Table, folds: int = FOLDS, kinds: Sequence[str] = FOREST_KINDS
) -> tuple[Row, ...]:
    """Every row judged by a forest that has not seen it. Raises EngineError with too few rows."""
    parts = _folds(table.bad, folds)
    found = []
    for name, channels in _choices(table):
        own = table.only(channels)
        forests = {}
        for kind in kinds:
            said = np.zeros(len(own.bad))
            for part in range(folds):
                seen, left = _rows(own, parts != part), _rows(own, parts == part)
                said[parts == part] = _margins(seen, left, kind)
            forests[kind] = _auroc(said, own.bad)
        found.append(Row(name, _auroc(_largest(own), own.bad), forests))
    return tuple(found)


def as_table(rows: Sequence[Row], title: str) -> Shown:
    """For a person, in the shape of the paper's."""
    kinds = list(rows[0].forests)
    shown = Shown("detectors", "largest score", *(kind.upper() for kind in kinds))
    shown.title = title
    for row in rows:
        values = [row.largest, *(row.forests[kind] for kind in kinds)]
        shown.add_row(row.detector, *(f"{value:.3f}" for value in values))
    return shown


def _choices(table: Table) -> list[tuple[str, tuple[str, ...]]]:
    single = [(channel, (channel,)) for channel in table.channels]
    return [*single, (ALL, table.channels)]


def _folds(bad: npt.NDArray[np.bool_], folds: int) -> npt.NDArray[np.int64]:
    """(n,) the fold of every row; each has its share of good and of bad rows."""
    least = min(int(bad.sum()), int((~bad).sum()))
    if least < folds:
        raise EngineError(
            f"{folds} parts held out in turn need {folds} good and {folds} bad rows, there are "
            f"{least}: raise --generated"
        )
    rng = np.random.default_rng(SEED)
    parts = np.zeros(len(bad), np.int64)
    for label in (False, True):
        own = rng.permutation(np.flatnonzero(bad == label))
        parts[own] = np.arange(len(own)) % folds
    return parts


def _rows(table: Table, chosen: npt.NDArray[np.bool_]) -> Table:
    samples = tuple(name for name, own in zip(table.samples, chosen, strict=True) if own)
    return Table(table.channels, table.names, table.rows[chosen], table.bad[chosen], samples)


def _margins(train: Table, test: Table, kind: str) -> Margins:
    return margins(grown(train.rows, train.bad, kind), test.rows)


def _largest(table: Table) -> Margins:
    own = [number for number, name in enumerate(table.names) if name.endswith(f"/{LARGEST}")]
    seen = np.nan_to_num(table.rows[:, own].astype(np.float64))  # a zone without a voxel says 0
    largest: Margins = seen.max(axis=1)
    return largest


def _auroc(scores: npt.NDArray[Any], bad: npt.NDArray[np.bool_]) -> float:
    return classification_auroc(np.asarray(scores, np.float64), bad)
