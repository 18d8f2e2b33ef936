"""Part scores of good and bad scans by one recipe, zone by zone; and of a scan seen again.

Seen again, a scan gives what its own part would score when put down anew: another placement, light,
noise, and one view left out in turn. That is no second part: it fits a tail, it proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxgate.export.golden.disturbance import placement, seen_again, surface_of
from voxgate.runtime.config.settings import DEFAULTS, Settings
from voxgate.runtime.errors import ScanError
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Note, Outcome, Reason, Verdict, View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.scans.cell_scan import CellScan
from voxgate.runtime.scans.open_scan import open_part_scan
from voxgate.runtime.scans.placed import lost_frames, replay
from voxgate.runtime.scans.scan import Scan
from voxgate.runtime.sync.synchronizer import Synchronizer

SEED = 31
OnScan = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PartScores:
    """One inspection: the highest score in every zone, in units of the recipe's own threshold.

    repeat: 0 as recorded, else the how-manieth time the scan was seen again, without view left_out;
    the one view of a camera that stands is never left out.
    """

    scan: str
    repeat: int
    left_out: int | None
    zones: dict[str, float]

    @property
    def independent(self) -> bool:
        """Whether it is a part of its own."""
        return self.repeat == 0


class PartReader:
    """Scores scans by one recipe; owns its engine."""

    def __init__(
        self, recipe: Recipe, zones: Zones, scan: Path, settings: Settings = DEFAULTS
    ) -> None:
        calibration = scan_by(recipe.camera, scan).calibration
        self._zones = zones
        self.table_z_mm = recipe.manifest.grid.table_z_mm
        self._max_gap_ns = settings.max_gap_ns
        self.inspector = Inspector.open(
            recipe, calibration, settings.limits, settings.backend, settings.threads
        )
        self.rays = self.inspector.equipment.rays

    def close(self) -> None:
        """Give the engine back."""
        self.inspector.close()

    def as_recorded(self, folder: Path) -> PartScores:
        """Raises ScanError for a scan that is no proof: incomplete, misplaced, of another part."""
        verdict = self.inspector.inspect(self.arrivals(folder), reduced=True)
        if verdict.outcome is Outcome.INDETERMINATE:
            words = "; ".join(note.detail for note in verdict.notes[:2])
            raise ScanError(f"{folder}: this scan proves nothing: {words}")
        return PartScores(str(folder), 0, None, self._maxima(verdict))

    def seen_again(
        self, folder: Path, times: int, rng: np.random.Generator
    ) -> Iterator[PartScores]:
        """The scan disturbed `times` times. Raises ScanError when the part is not recognised."""
        views = [view for view in self.arrivals(folder) if isinstance(view, View)]
        known = [surface_of(view, self.rays, self.table_z_mm) for view in views]
        for repeat in range(1, times + 1):
            moved = placement(rng)
            left_out = (repeat - 1) % len(views) if len(views) > 1 else None
            again = [
                seen_again(view, expected, self.rays, moved, rng)
                for number, (view, expected) in enumerate(zip(views, known, strict=True))
                if number != left_out
            ]
            verdict = self.inspector.inspect(again, reduced=True)
            lost = {note.reason for note in verdict.notes} & {Reason.ALIGNMENT_FAILED}
            if lost:
                raise ScanError(f"{folder}: the part is not found again when it is put down anew")
            yield PartScores(str(folder), repeat, left_out, self._maxima(verdict))

    def put_down_again(self, views: Sequence[View], rng: np.random.Generator) -> list[View]:
        """One more arrival of a part: all of its views."""
        moved, rays = placement(rng), self.rays
        surfaces = (surface_of(view, rays, self.table_z_mm) for view in views)
        return [
            seen_again(view, surface, rays, moved, rng)
            for view, surface in zip(views, surfaces, strict=True)
        ]

    def arrivals(self, folder: Path) -> list[View | Note]:
        """Every view of a recorded scan, at the recipe's resolution, and what else became of its
        frames. Raises RecipeError for a scan that another calibration took."""
        scan = scan_by(self.inspector.recipe.camera, folder)
        self.inspector.recipe.check_calibration(scan.calibration)
        reduced = self.inspector.equipment.reduced
        found = replay(scan, Synchronizer(scan.calibration, self._max_gap_ns, float("inf")))
        placed = [reduced(each) if isinstance(each, View) else each.note for each in found]
        return [*lost_frames(scan), *placed]

    def is_golden(self, arrivals: Sequence[View | Note]) -> bool:
        """Whether these pictures are the recipe's own, no new exposure among them."""
        equipment, plan = self.inspector.equipment, self.inspector.recipe.plan
        views = [view for view in arrivals if isinstance(view, View)]
        planned = [plan.match(view.part_from_camera) for view in views]
        return bool(equipment.golden and views) and all(
            isinstance(number, int) and equipment.is_golden(number, view)
            for number, view in zip(planned, views, strict=True)
        )

    def _maxima(self, verdict: Verdict) -> dict[str, float]:
        found = verdict.alignment
        at = np.eye(4) if found is None else found.reference_from_part
        return self._zones.maxima(self.inspector.volume, at)


def scan_by(camera: str, path: Path) -> Scan:
    """Of a scan of several cameras what `camera` took; the scan itself where it is of one. Raises
    ScanError."""
    scan = open_part_scan(path)
    if not isinstance(scan, CellScan):
        return scan
    if camera not in scan.cameras:
        raise ScanError(
            f"{path}: of the cameras {', '.join(scan.cameras)}, the recipe is of "
            f"{camera or 'one without a name'}"
        )
    return scan.cameras[camera]


def scores_of(
    recipe: Recipe,
    zones: Zones,
    scans: Sequence[Path],
    again: int = 0,
    on_scan: OnScan = lambda what: None,
    settings: Settings = DEFAULTS,
) -> list[PartScores]:
    """Every scan as recorded, then each seen again `again` times. Raises ScanError."""
    rng = np.random.default_rng(SEED)
    with closing(PartReader(recipe, zones, scans[0], settings)) as reader:
        found = []
        for scan in scans:
            found.append(reader.as_recorded(scan))
            on_scan(str(scan))
        for scan in scans if again else ():
            found += list(reader.seen_again(scan, again, rng))
            on_scan(str(scan))
        return found
