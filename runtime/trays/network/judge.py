"""A tray by the network: its scores, on instances that depth shows too.

    views -> volume -> density -> boxes -> scores          (Bhunia, Li and Bilen 2024)
    views -> what stands on the table, and what speaks against deciding on it   (by depth)
    both -> each instance that both see alike, with the higher score -> PASS, FAIL or INDETERMINATE

The network alone would pass a tray of which it does not see a part, or two that touch as one; depth
shows what stands there and whose shape is another one's. What parts look like is the network's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.errors import EngineError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Note, Outcome, Reason
from voxgate.runtime.recipe.manifest import Manifest
from voxgate.runtime.scenes.scene import SceneView
from voxgate.runtime.trays import doubts
from voxgate.runtime.trays.judge import TrayJudge
from voxgate.runtime.trays.network.boxes import Density, boxes_of, density_of
from voxgate.runtime.trays.network.graphs import Graphs
from voxgate.runtime.trays.network.pictures import Eye
from voxgate.runtime.trays.scene_verdict import Judged, SceneVerdict

SAME_BOX = 0.5  # intersection over union from which the paper counts a box as found


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """By the network. boxes_mm (n, 2, 3), world; scores (n,), 1.0 = threshold."""

    boxes_mm: npt.NDArray[np.float64]
    scores: Density


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A recipe's two graphs, looking through one camera at where its volume lies."""

    graphs: Graphs
    manifest: Manifest
    rays: Rays

    def found(self, views: Sequence[SceneView]) -> Found:
        """Raises EngineError, or ValueError for views that the network does not take."""
        planned, channels, side_px, _ = self.graphs.before.inputs[0].shape
        some, grid = spread(views, planned), self.manifest.grid
        seen = Eye(self.rays, grid).seen(some, planned, channels, side_px)
        field = self.graphs.field(seen)
        boxes = boxes_of(density_of(field, grid.shape))[: self.graphs.most]
        corners = boxes.reshape(-1, 2, 3).astype(np.float64) * grid.voxel_mm + grid.origin_mm
        return Found(corners, self.graphs.odd(field, boxes))


class NetworkJudge:
    """Judges one tray; owned and called by one thread; as TrayJudge."""

    def __init__(
        self,
        graphs: Graphs,
        manifest: Manifest,
        rays: Rays,
        planned: int,
        table_z_mm: float | None,
        crew: Crew,
    ) -> None:
        self._network = Network(graphs, manifest, rays)
        self._by_depth = TrayJudge(rays, planned, table_z_mm, crew)
        self._views: list[SceneView] = []

    def add(self, view: SceneView) -> None:
        """Take in a view."""
        self._views.append(view)
        self._by_depth.add(replace(view, colour=None))  # hue is the network's

    def finish(self) -> SceneVerdict:
        """Which are odd, by everything that was added."""
        by_depth = self._by_depth.finish()
        kept = [each for each in by_depth.doubts if each.reason is not Reason.NO_MAJORITY]
        try:
            found = self._network.found(self._views)
        except (EngineError, ValueError) as error:
            kept.append(Note(Reason.ENGINE_FAILED, str(error)))
            return SceneVerdict(Outcome.INDETERMINATE, tuple(kept), _unscored(by_depth.judged))
        judged, against = matched(by_depth.judged, found)
        odd = sum(bool(each.odd) for each in judged)
        compared = sum(each.score is not None for each in judged)
        notes = [*kept, *against, *self._untrained(), *doubts.no_majority(odd, 0, compared)]
        if not notes and compared < doubts.LEAST_ALIKE:
            notes += doubts.too_few(compared, len(judged))
        outcome = Outcome.FAIL if odd else Outcome.PASS
        outcome = Outcome.INDETERMINATE if notes else outcome
        return SceneVerdict(outcome, tuple(notes), judged, by_depth.proven)

    def _untrained(self) -> Iterator[Note]:
        if self._network.manifest.untrained:
            words = "the network's weights are drawn by chance: export it from a trained checkpoint"
            yield Note(Reason.SCORE_INVALID, words)


def spread(views: Sequence[SceneView], planned: int) -> list[SceneView]:
    """No more than the network takes, from all over."""
    if len(views) <= planned:
        return list(views)
    return [views[int(i)] for i in np.linspace(0, len(views) - 1, planned).round()]


def matched(judged: Sequence[Judged], found: Found) -> tuple[tuple[Judged, ...], list[Note]]:
    """Each instance with the score of the network's box around it, or of its shape, and what has no
    counterpart."""
    likeness = overlaps(np.array([each.instance.box_mm for each in judged]), found.boxes_mm)
    own = likeness >= SAME_BOX
    scored = tuple(_scored(each, found.scores[row]) for each, row in zip(judged, own, strict=True))
    notes = [
        Note(
            Reason.COVERAGE,
            f"the network does not find what stands at {_place(each.instance.box_mm)}",
        )
        for each, row in zip(judged, own, strict=True)
        if not row.any()
    ]
    notes += [
        Note(
            Reason.COVERAGE,
            f"the network finds something at {_place(box)} where depth shows no such thing",
        )
        for box, column in zip(found.boxes_mm, own.T, strict=True)
        if not column.any()
    ]
    return scored, notes


def overlaps(
    boxes: npt.NDArray[np.float64], others: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(n, m) intersection over union of boxes (n, 2, 3) and (m, 2, 3)."""
    a, b = boxes.reshape(-1, 1, 2, 3), others.reshape(1, -1, 2, 3)
    both = np.minimum(a[:, :, 1], b[:, :, 1]) - np.maximum(a[:, :, 0], b[:, :, 0])
    shared = np.clip(both, 0, None).prod(axis=-1)
    sizes = [np.diff(each, axis=2)[:, :, 0].prod(axis=-1) for each in (a, b)]
    return np.asarray(shared / np.maximum(sizes[0] + sizes[1] - shared, 1e-9))


def _scored(judged: Judged, own: Density) -> Judged:
    """None where depth did not compare it, or the network does not see it."""
    if judged.score is None or not len(own):
        return replace(judged, score=None, oddities=())
    by_shape = tuple(each for each in judged.oddities if each.deviation_mm is not None)
    score = max([float(own.max()), *(each.score for each in by_shape)])
    return replace(judged, score=score, oddities=by_shape)


def _unscored(judged: Sequence[Judged]) -> tuple[Judged, ...]:
    return tuple(replace(each, score=None, oddities=()) for each in judged)


def _place(box_mm: npt.NDArray[np.float64]) -> str:
    x, y, _ = box_mm.mean(axis=0)
    return f"({x:.0f}, {y:.0f}) mm"
