"""What speaks against deciding on a tray: functions from what was found to a note."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

import numpy as np
import numpy.typing as npt

from voxgate.runtime.instances import Proven, Wanted
from voxgate.runtime.nouns import Note, Reason
from voxgate.runtime.scenes.scene import SceneView
from voxgate.runtime.trays.neighbours.look import LEVELS_APART
from voxgate.runtime.trays.neighbours.shape import Difference
from voxgate.runtime.trays.placing import ALIKE, outline_likeness
from voxgate.runtime.trays.tray import Instance

LEAST_VIEWS = 6  # round a part: fewer leave sides that nobody saw
WIDEST_GAP_DEG = 150.0  # between neighbouring views round the tray: a side in it is seen aslant
LEAST_ALIKE = 3  # of two that differ nobody knows which is the odd one
TOUCHING = 1.6  # times the usual footprint: two parts, or one and what lies against it
LEAST_THING = 0.03  # of the usual footprint: smaller is a glint
SAME_OUTLINE = 0.85  # of the area: a turn is tried every few degrees
MIRRORED_BY = 0.04
LEAST_COMPARED = 0.75  # of the surface that the neighbours show
# Of a surface that is three thick: a piece of three by three voxels. Regular parts have up to 17,
# where views contradict each other.
MOST_UNSEEN_VOXELS = 24
# A view that lies off the others by this much was not taken from where it says, or of what no
# longer stands there: most of a voxel, and several times what is usual in this scene.
OFF_VOXELS = 0.75
OFF_TIMES = 5.0
BLACK = 0.97  # of the grey value: more no mark takes
# Of what is seen of parts; of parts with some pins of two to four pixels up to 0.045, of racks of
# rungs that are one or two pixels thin 0.077 and more.
MOST_THIN = 0.06

NO_DEPTH = Note(
    Reason.DEPTH_MISSING,
    "without depth parts are compared by their outlines: none differs there, but hollows are in "
    "no outline",
)


def views(seen: Sequence[SceneView], instances: Sequence[Instance]) -> Iterator[Note]:
    """Whether there are enough, of their own, and from all around."""
    if len(seen) < LEAST_VIEWS:
        words = f"{len(seen)} views, at least {LEAST_VIEWS} from all around are needed"
        yield Note(Reason.MISSING_VIEW, words)
    first: dict[bytes, int] = {}
    for view in seen:
        same = first.setdefault(view.depth_mm.tobytes() + view.image.tobytes(), view.number)
        if same != view.number:
            words = f"view {view.number} is view {same} again: was its picture taken?"
            yield Note(Reason.DUPLICATE_VIEW, words)
    if instances and (gap_deg := _widest_gap_deg(seen, instances)) > WIDEST_GAP_DEG:
        words = f"round the tray {gap_deg:.0f} deg are without a view: views from there are needed"
        yield Note(Reason.MISSING_VIEW, words)


def grey(seen: Sequence[SceneView], in_colour: bool) -> Iterator[Note]:
    """Whether hues could be compared; in_colour: they are to be, even if no view shows any."""
    without = [view.number for view in seen if view.colour is None]
    if without and (in_colour or len(without) < len(seen)):
        words = f"{len(without)} of {len(seen)} pictures are grey: hues were not compared"
        yield Note(Reason.FRAME_INVALID, words)


def _widest_gap_deg(seen: Sequence[SceneView], instances: Sequence[Instance]) -> float:
    centre = np.mean([each.box_mm.mean(axis=0) for each in instances], axis=0)
    away = np.array([view.world_from_camera[:2, 3] for view in seen]) - centre[:2]
    around = np.sort(np.degrees(np.arctan2(away[:, 1], away[:, 0])))
    return float(np.diff(np.append(around, around[0] + 360)).max())


def too_few(comparable: int, found: int) -> Iterator[Note]:
    """Whether there is a majority to be had at all."""
    if comparable < LEAST_ALIKE:
        words = (
            f"{comparable} of {found} instances can be compared, at least {LEAST_ALIKE} are needed"
        )
        yield Note(Reason.TOO_FEW, words)


def touching(instances: Sequence[Instance]) -> dict[int, Note]:
    """By label, what covers more of the table than one part does."""
    usual = float(np.median([each.footprint_mm2 for each in instances])) if instances else 0.0
    return {
        each.label: Note(
            Reason.TOUCHING,
            f"what stands at {_place(each)} covers {each.footprint_mm2 / usual:.1f} times the "
            "table that the others do: move parts apart that touch",
        )
        for each in instances
        if each.footprint_mm2 > TOUCHING * usual
    }


def partly_seen(instances: Sequence[Instance], views: int) -> dict[int, Note]:
    """By label, what most views did not see."""
    return {
        each.label: Note(
            Reason.COVERAGE,
            f"what stands at {_place(each)} was seen by {len(each.seen_by)} of {views} views",
        )
        for each in instances
        if 2 * len(each.seen_by) < views
    }


def small_things(small: Sequence[Instance], instances: Sequence[Instance]) -> Iterator[Note]:
    """What may be a part that is half out of sight, the largest of them."""
    usual = float(np.median([each.footprint_mm2 for each in instances])) if instances else 0.0
    largest = max(small, key=lambda each: each.footprint_mm2, default=None)
    if largest is not None and largest.footprint_mm2 > LEAST_THING * usual:
        words = (
            f"something smaller stands at {_place(largest)}, seen by {len(largest.seen_by)} views: "
            "a part half out of sight, or something that does not belong on the tray"
        )
        yield Note(Reason.COVERAGE, words)


def disagreeing(
    shifts_mm: npt.NDArray[np.float64], instances: Sequence[Instance], voxel_mm: float
) -> Iterator[Note]:
    """Views from elsewhere, and instances that moved between two views. shifts_mm: (views,
    instances), see steadiness."""
    if not np.isfinite(shifts_mm).any():
        return
    usual = float(np.nanmedian(shifts_mm))
    off = shifts_mm > max(OFF_VOXELS * voxel_mm, OFF_TIMES * usual)
    elsewhere = off.sum(axis=1) > 0.5 * np.isfinite(shifts_mm).sum(axis=1)
    for number in np.flatnonzero(elsewhere & off.any(axis=1)):
        words = (
            f"view {number} lies {np.nanmedian(shifts_mm[number]):.1f} mm off what the others saw: "
            "was its pose taken with it?"
        )
        yield Note(Reason.VIEWS_DISAGREE, words)
    for instance, column in zip(instances, (off & ~elsewhere[:, None]).T, strict=True):
        if column.any():
            seen = ", ".join(map(str, np.flatnonzero(column)))
            words = f"the instance at {_place(instance)} stands elsewhere in view {seen}"
            yield Note(Reason.MOVED, words)


def coverage(instance: Instance, difference: Difference) -> Iterator[Note]:
    """Whether enough was seen of an instance; what is odd is so whatever else it hides."""
    if difference.score < 1 and difference.unseen_voxels > MOST_UNSEEN_VOXELS:
        words = (
            f"of the instance at {_place(instance)} a piece was seen by no view where its "
            "neighbours have surface"
        )
        yield Note(Reason.COVERAGE, words)
    if difference.compared < LEAST_COMPARED:
        words = (
            f"of the instance at {_place(instance)} only {difference.compared:.0%} of what its "
            "neighbours show was seen"
        )
        yield Note(Reason.COVERAGE, words)


def turned_over(instance: Instance, usual: Instance, alike: float) -> Iterator[Note]:
    """Of an instance that is odd by shape, whether it lies on its other side: seen from above it is
    the others' outline in a mirror. alike: share of its surface that lies on theirs."""
    mirrored = outline_likeness(instance, usual, mirrored=True)
    if mirrored <= SAME_OUTLINE:
        return
    as_it_is = outline_likeness(instance, usual, mirrored=False)
    if alike < ALIKE or mirrored > as_it_is + MIRRORED_BY:
        words = (
            f"the instance at {_place(instance)} lies turned over, or is another part of the same "
            "outline: turn it and look again"
        )
        yield Note(Reason.TURNED_OVER, words)


def dim(instance: Instance, compared: float) -> Iterator[Note]:
    """Whether enough of its look could be compared: the pictures are neither dark nor burnt out."""
    if compared < LEAST_COMPARED:
        words = (
            f"of the instance at {_place(instance)} the pictures show only {compared:.0%} of what "
            "they show of its neighbours neither too dark nor burnt out"
        )
        yield Note(Reason.COVERAGE, words)


def too_coarse(proven: Proven | None, wanted: Wanted) -> Iterator[Note]:
    """Whether what must be found could have been. None: nothing was compared."""
    if proven is None:
        return
    if wanted.smallest_mm is not None and proven.smallest_mm > wanted.smallest_mm:
        words = (
            f"these pictures prove nothing smaller than {proven.smallest_mm:.1f} mm, and "
            f"{wanted.smallest_mm:.1f} mm must be found: go nearer, or take more views"
        )
        yield Note(Reason.COVERAGE, words)
    if wanted.contrast is not None and proven.contrast > wanted.contrast:
        words = (
            f"these pictures prove no mark fainter than {proven.contrast:.0%} of the grey value, "
            f"and {wanted.contrast:.0%} must be found: softer light, go nearer, or more views "
            "from aside"
        )
        yield Note(Reason.COVERAGE, words)
    if wanted.depth_mm is not None and (proven.depth_mm or inf) > wanted.depth_mm:
        least = "" if proven.depth_mm is None else f" flatter than {proven.depth_mm:.2f} mm"
        words = (
            f"these pictures prove no hollow{least}, and {wanted.depth_mm:.2f} mm must be found: "
            "go nearer, or take more views from aside"
        )
        yield Note(Reason.COVERAGE, words)


def too_thin(share: float) -> Iterator[Note]:
    """Whether too much of the parts is no wider than two pixels to compare them."""
    if share > MOST_THIN:
        words = (
            f"{share:.0%} of what is seen of the parts is no wider than two pixels: too thin to be "
            "compared: go nearer"
        )
        yield Note(Reason.COVERAGE, words)


def blind(proven: Proven) -> Iterator[Note]:
    """Whether marks are told at all, whoever asks for them."""
    if proven.contrast > BLACK:
        words = (
            f"not even a mark that takes {BLACK:.0%} of the grey value would have been found on "
            "half of every part: softer light, go nearer, or take more views from aside"
        )
        yield Note(Reason.COVERAGE, words)


def no_majority(odd: int, by_look: int, judged: int) -> Iterator[Note]:
    """Whether the regular ones are more than the odd ones, or as many and at least two. by_look: of
    the odd ones those whose look is."""
    if odd and (judged - odd < 2 or 2 * odd > judged):
        words = f"{odd} of {judged} instances differ from the others: which are the regular ones?"
        if 2 * by_look > judged:
            words += " By look alone: does the light cast hard shadows?"
        yield Note(Reason.NO_MAJORITY, words)


def two_kinds(levels: Sequence[Sequence[float]]) -> Iterator[Note]:
    """Whether one half is all brighter, redder or bluer than the other: then no one is nearer to
    the others than to them."""
    for level in np.sort(np.array(levels), axis=0).T:
        middle = len(level) // 2
        low, high = level[:middle], level[middle:]
        apart = high[0] - low[-1]
        if len(low) == len(high) and apart > max(LEVELS_APART, np.ptp(low), np.ptp(high)):
            words = f"{len(low)} of {len(level)} instances look otherwise all over than the others"
            yield Note(Reason.NO_MAJORITY, f"{words}: which are the regular ones?")
            return


def _place(instance: Instance) -> str:
    x, y, _ = instance.box_mm.mean(axis=0)
    return f"({x:.0f}, {y:.0f}) mm"
