"""A classifier over zones from few scans: good ones, bad ones if there are, and generated ones.

good scans -> as recorded, seen again, and with defects on them -> rows of zone statistics
           -> boosted random forest -> threshold above every good row -> scorer.npz
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.metrics.detection import classification_auroc
from voxgate.export.quality.forests import grown, read_booster
from voxgate.export.quality.generated_defects import draw_defect, with_defect
from voxgate.export.quality.parts_seen import PartReader
from voxgate.runtime.config.settings import DEFAULTS, Settings
from voxgate.runtime.errors import EngineError, ScanError
from voxgate.runtime.nouns import Note, Outcome, View
from voxgate.runtime.recipe.classifier.zone_statistics import feature_names, features
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.scorer import Scorer, chance
from voxgate.runtime.recipe.zones import Zones

SEED = 17
MARGIN = 0.5  # of the way from the highest good chance to 1: the next good part may be higher
OnRow = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Samples:
    """What to learn from. generated: defects put on good scans, and as many scans seen again; a
    recipe's own golden scan teaches by these alone."""

    good: tuple[Path, ...]
    bad: tuple[Path, ...] = ()
    generated: int = 24


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The scorer, and for provenance what it was trained on."""

    scorer: Scorer
    record: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What was seen. rows: (n, features) float32, a column per name; bad: (n,) bool; samples: what
    each row is."""

    channels: tuple[str, ...]
    names: tuple[str, ...]
    rows: npt.NDArray[np.float32]
    bad: npt.NDArray[np.bool_]
    samples: tuple[str, ...]

    def only(self, channels: Sequence[str]) -> Table:
        """The columns of these detectors."""
        own = [number for number, name in enumerate(self.names) if _channel(name) in channels]
        names = tuple(self.names[number] for number in own)
        return Table(tuple(channels), names, self.rows[:, own], self.bad, self.samples)


def table_of(
    recipe: Recipe,
    zones: Zones,
    samples: Samples,
    on_row: OnRow = lambda done, of, what: None,
    settings: Settings = DEFAULTS,
) -> Table:
    """Every sample through all of the recipe's detectors (SegAD: "All AD").

    Raises ScanError for a scan that proves nothing.
    """
    if not samples.good:
        raise ScanError("name at least one scan of a good part")
    channels = recipe.channels
    with closing(PartReader(recipe, zones, samples.good[0], settings)) as reader:
        found = _Rows(reader, zones, channels, on_row, samples)
        found.read(samples)
    names = feature_names(channels, zones)
    return Table(channels, names, np.stack(found.rows), np.array(found.bad), tuple(found.names))


def train_scorer(table: Table, zones: Zones, kind: str = "brf") -> Trained:
    """Raises EngineError without xgboost or bad parts."""
    bad = table.bad
    if not bad.any():
        raise EngineError("a classifier needs bad parts: name some with --bad, or --generated")
    forest = read_booster(grown(table.rows, bad, kind))
    chances = np.array([chance(forest.margin(row)) for row in table.rows])
    threshold = float(chances[~bad].max() + MARGIN * (1 - chances[~bad].max()))
    scorer = Scorer(forest, table.channels, table.names, min(threshold, 0.999))
    return Trained(
        scorer,
        {
            "kind": kind,
            "source": "SegAD, supplement A.1 and A.2",
            "detectors": list(table.channels),
            "zones": list(zones.names),
            "rows": len(bad),
            "bad_rows": int(bad.sum()),
            "samples": list(table.samples),
            "threshold_chance": scorer.threshold,
            "training_auroc": classification_auroc(chances, bad),
            "cannot_prove": "anything about parts it was not trained on: evaluate it on others",
        },
    )


def _channel(name: str) -> str:
    return name.split("/", 1)[0]


class _Rows:
    """The table as it grows."""

    def __init__(
        self,
        reader: PartReader,
        zones: Zones,
        channels: tuple[str, ...],
        on_row: OnRow,
        samples: Samples,
    ) -> None:
        self.reader = reader
        self.zones = zones
        self.on_row = on_row
        self.total = len(samples.good) + len(samples.bad) + 2 * samples.generated
        self.rows: list[npt.NDArray[np.float32]] = []
        self.bad: list[bool] = []
        self.names: list[str] = []
        reader.inspector.listen_to(channels)

    def read(self, samples: Samples) -> None:
        """Everything that is learnt from."""
        for scan in samples.good:
            arrivals = self.reader.arrivals(scan)
            if not (samples.generated and self.reader.is_golden(arrivals)):
                self._add(arrivals, bad=False, name=str(scan), whole=True)
        for scan in samples.bad:
            self._add(self.reader.arrivals(scan), bad=True, name=str(scan), whole=True)
        rng = np.random.default_rng(SEED)
        for number in range(samples.generated):
            scan = samples.good[number % len(samples.good)]
            again = self._again(scan, rng)
            self._add(again, bad=False, name=f"{scan} seen again")
            again = self._again(scan, rng)
            rays = self.reader.rays
            defect = draw_defect(again, rays, self.reader.table_z_mm, rng)
            marked = [with_defect(view, defect, rays) for view in again]
            self._add(marked, bad=True, name=f"{scan} with a {defect.kind}")

    def _again(self, scan: Path, rng: np.random.Generator) -> list[View]:
        views = [view for view in self.reader.arrivals(scan) if isinstance(view, View)]
        return self.reader.put_down_again(views, rng)

    def _add(
        self, arrivals: Sequence[View | Note], bad: bool, name: str, whole: bool = False
    ) -> None:
        verdict = self.reader.inspector.inspect(arrivals, reduced=True)
        if whole and verdict.outcome is Outcome.INDETERMINATE:
            words = "; ".join(note.detail for note in verdict.notes[:2])
            raise ScanError(f"{name}: this scan teaches nothing: {words}")
        found = verdict.alignment
        at = np.eye(4) if found is None else found.reference_from_part
        self.rows.append(features(self.reader.inspector.channels, self.zones, at))
        self.bad.append(bad)
        self.names.append(name)
        self.on_row(len(self.rows), self.total, Path(name).name)
