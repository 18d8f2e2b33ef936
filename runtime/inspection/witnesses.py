"""A speck that one view alone shows, held against the views that saw its place as well.

Dust on the lens, a hot pixel or a glint is a few pixels of one picture; a mark on the part is in
every picture of its place. Whether another view would show it is tried, not assumed: the speck is
put into that picture, and the models are asked again. A view that would show it and does not is a
witness against it, one that shows another speck beside it too. Costs nothing where no view stands
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.fusion.host import Described, Plane
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.agreement import SPECK_VOXELS, squarely
from voxgate.runtime.inspection.speck_picture import CLEAN_SCORE, Mark, Mask, mark_of, painted
from voxgate.runtime.nouns import Defect, Picture
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.segment import Alone
from voxgate.runtime.volume.volume import SUPPORT_SCORE, Volume

MOST_SPECKS = 16  # more is a dirty cell: each costs several runs of the models
MOST_RUNS = 64  # for all of them: the robot waits for the verdict
ENOUGH = 2  # witnesses: one view is a word against a word
SHOWN_SCORE = 0.8  # what a view must make of the speck, to have a say on it
OUTVOTE = 3  # quiet views over the others, where nobody tries whether they could see it
NEAR_VOXELS = 1.5  # a voxel's middle lies so far off the surface in it, with noise

Score = Callable[[Described, Picture], Plane]
"""(h, w) what the models say of a view if this were its picture. Raises EngineError."""


@dataclass(frozen=True, slots=True, eq=False)
class Speck:
    """What one view, `planned`, alone says. pixel: (u, v) there; voxels: the volume's numbers.

    witnesses: views that would show it and do not.
    """

    defect: Defect
    planned: int
    pixel: tuple[int, int]
    voxels: npt.NDArray[np.int32]
    witnesses: int

    @property
    def refuted(self) -> bool:
        """Whether enough others saw the place clean."""
        return self.witnesses >= ENOUGH


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """specks of single pictures, and defects of single views that most others outvote."""

    specks: tuple[Speck, ...] = ()
    outvoted: tuple[Defect, ...] = ()

    @property
    def doubted(self) -> tuple[Defect, ...]:
        """The defects that a witness or more speaks against."""
        return self.outvoted + tuple(speck.defect for speck in self.specks if speck.witnesses)


class Hearing:
    """Of one part's views, by planned number; asks each picture's own score once."""

    def __init__(self, views: Mapping[int, Described], score: Score, rays: Rays) -> None:
        self._views = views
        self._score = score
        self._rays = rays
        self._own: dict[int, Plane] = {}
        self._runs = 0

    def hear(self, said: Sequence[Alone], volume: Volume) -> Heard:
        """What speaks against what views say alone; specks that are refuted are quiet in the volume
        from now on. Raises EngineError.

        Nothing is heard when there are more than dust explains.
        """
        if len(said) > MOST_SPECKS:
            return Heard()
        specks, outvoted = [], []
        for alone in said:
            speck = self._speck(alone, volume.grid)
            if speck is not None:
                specks.append(speck)
            elif self._count_quiet(alone, volume) >= OUTVOTE:
                outvoted.append(alone.defect)
        for speck in specks:
            if speck.refuted:
                volume.quiet(speck.voxels, CLEAN_SCORE)
        return Heard(tuple(specks), tuple(outvoted))

    def _speck(self, alone: Alone, grid: GridSpec) -> Speck | None:
        defect, planned = alone.defect, alone.planned
        if planned not in self._views or max(defect.size_mm) > SPECK_VOXELS * grid.voxel_mm:
            return None
        described = self._views[planned]
        if described.registered is None:
            return None
        own = self._of(planned)
        mark = mark_of(defect, described.view, described.registered, own, self._rays)
        if mark is None:
            return None
        witnesses = self._count_witnesses(planned, mark)
        return Speck(defect, planned, mark.pixel, alone.voxels, witnesses)

    def _count_witnesses(self, planned: int, mark: Mark) -> int:
        """Views that would show the mark and do not, up to ENOUGH; of them one at most, a doubt,
        where another view half shows it, or may: nobody is asked after MOST_RUNS."""
        clean, supported = 0, False
        for other, picture, touched in self._lookers(planned, mark):
            own = self._said(other, self._of(other), touched)
            if own <= CLEAN_SCORE and clean == ENOUGH:
                continue
            if self._runs >= MOST_RUNS:
                supported = True
                break
            shown = self._said(other, self._ask(other, picture), touched)
            quiet = own <= max(CLEAN_SCORE, shown / 2) and own < SUPPORT_SCORE
            supported |= not quiet
            clean += quiet and shown >= SHOWN_SCORE
        return min(clean, ENOUGH - supported)

    def _said(self, planned: int, score: Plane, where: Mask) -> float:
        """The most of a view's picture, as its models score it, and of its shape."""
        registered = self._views[planned].registered
        shape = 0.0 if registered is None else float(registered.geometry[where].max())
        return max(float(score[where].max()), shape)

    def _count_quiet(self, alone: Alone, volume: Volume) -> int:
        """Other views that measured most of its voxels, squarely, and say nothing of them; less
        those that do."""
        places = volume.grid.centres_mm(volume.ijk(alone.voxels.astype(np.intp)).astype(np.int32))
        count = 0
        for other, described in self._views.items():
            if other == alone.planned or described.registered is None:
                continue
            view, reach_mm = described.view, NEAR_VOXELS * volume.grid.voxel_mm
            assert view.depth_mm is not None  # the inspector has refused it
            seen = squarely(places, view.depth_mm, view.part_from_camera, self._rays, reach_mm)
            if len(seen[0]) > len(places) / 2:
                said = np.maximum(self._of(other), described.registered.geometry)[seen]
                count += 1 if said.max() <= CLEAN_SCORE else -1
        return count

    def _lookers(self, planned: int, mark: Mark) -> Iterator[tuple[int, Picture, Mask]]:
        """Other views that measured the place: their numbers, their pictures with the mark, and
        the pixels that it reaches."""
        for other, described in self._views.items():
            picture = painted(described.view, mark, self._rays) if other != planned else None
            if picture is not None:
                yield (other, *picture)

    def _of(self, planned: int) -> Plane:
        if planned not in self._own:
            self._own[planned] = self._ask(planned, self._views[planned].view.picture)
        return self._own[planned]

    def _ask(self, planned: int, picture: Picture) -> Plane:
        self._runs += 1
        return self._score(self._views[planned], picture)
