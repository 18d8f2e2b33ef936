"""How well trays are told: every scene with a truth in a folder, by the method of `voxgate scene`.

A scene is a folder with `truth.json` (instances with `odd` and `box_mm`), or a published one, whose
boxes and labels stand in its metadata. The variable VOXGATE_SCENES names the folder of scenes.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from voxgate.export.evaluation.layouts.odd_one_out import SceneFolder
from voxgate.export.evaluation.metrics.detection import auroc
from voxgate.export.evaluation.metrics.objects import IOU_LIMIT, box_iou
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.scenes.published import METADATA, MM_PER_UNIT
from voxgate.runtime.trays.judge import judge
from voxgate.runtime.trays.scene_verdict import Judged, SceneVerdict
from voxgate.runtime.trays.tray import OUTLINE_PERCENT

FOLDER = "VOXGATE_SCENES"
TRUTH = "truth.json"
MISSED = {True: -1.0, False: 1e9}  # wrong for certain: scores of an odd one and of a regular one


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One scene. odd (n,): the truth; of the instance found there iou (n,), 0 where none was, score
    (n,) and said (n,), NaN and None where it was not compared; more: found where nothing stands."""

    name: str
    outcome: Outcome
    odd: npt.NDArray[np.bool_]
    iou: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    said: tuple[bool | None, ...]
    more: int
    seconds: float
    cpu_s: float

    @property
    def right(self) -> int:
        """Instances that were found and told as they are."""
        return sum(bool(o) is s for o, s in zip(self.odd, self.said, strict=True))


def scenes_in(folder: Path) -> list[Path]:
    """Folders with a truth. Raises VoxGateError for none."""
    found = [path.parent for name in (TRUTH, METADATA) for path in sorted(folder.glob(f"*/{name}"))]
    if not found:
        raise VoxGateError(f"{folder}: no folder in it has {TRUTH} or {METADATA}")
    return found


def measure(folder: Path, crew: Crew) -> Told:
    """Judge one scene and hold it against its truth; reading the files is not counted."""
    objects = _truth(folder)
    scene = open_scene(folder)
    started, cpu = time.perf_counter(), time.process_time()
    verdict = judge(scene, crew)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    found, ious = zip(*(_nearest(thing, verdict) for thing in objects), strict=True)
    return Told(
        folder.name,
        verdict.outcome,
        np.array([thing.odd for thing in objects]),
        np.array(ious),
        np.array([np.nan if j is None or j.score is None else j.score for j in found]),
        tuple(None if j is None else j.odd for j in found),
        len(verdict.judged) - len({j.number for j in found if j is not None}),
        seconds,
        cpu_s,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Object:
    """box (6,): centre and size, mm, in its own frame; turn (3, 3): world from it."""

    box: npt.NDArray[np.float64]
    turn: npt.NDArray[np.float64]
    odd: bool


def _truth(folder: Path) -> list[_Object]:
    if (folder / TRUTH).is_file():
        instances = json.loads((folder / TRUTH).read_text("utf-8"))["instances"]
        return [_Object(_box(*each["box_mm"]), np.eye(3), each["odd"]) for each in instances]
    objects = json.loads((folder / METADATA).read_text("utf-8"))["objects"]
    odd = SceneFolder(folder, "").truth().odd
    return [_published(each, bool(is_odd)) for each, is_odd in zip(objects, odd, strict=True)]


def _published(entry: dict[str, Any], odd: bool) -> _Object:
    centre, extent = MM_PER_UNIT * np.array(entry["bbox"], np.float64)
    turn = np.array(entry["rotation_matrix"], np.float64)[:3, :3]
    return _Object(np.concatenate([turn.T @ centre, extent]), turn, odd)


def _box(low: npt.ArrayLike, high: npt.ArrayLike) -> npt.NDArray[np.float64]:
    corners = np.array([low, high], np.float64)
    return np.concatenate([corners.mean(axis=0), corners[1] - corners[0]])


def _found(thing: _Object, judged: Judged) -> npt.NDArray[np.float64]:
    """(6,) the box of an instance along the axes of an object, down to the table."""
    low, high = np.percentile(
        judged.instance.points @ thing.turn, (OUTLINE_PERCENT, 100 - OUTLINE_PERCENT), axis=0
    )
    low[2] = judged.instance.box_mm[0, 2]
    return _box(low, high)


def _nearest(thing: _Object, verdict: SceneVerdict) -> tuple[Judged | None, float]:
    if not verdict.judged:
        return None, 0.0
    boxes = np.array([_found(thing, each) for each in verdict.judged])
    ious = box_iou(thing.box[None], boxes)[0]
    best = int(ious.argmax())
    return (verdict.judged[best] if ious[best] > IOU_LIMIT else None), float(ious[best])


def main() -> None:
    """Print one row a scene, and all of them together."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        Console().print(f"set {FOLDER} to a folder of scenes with their truth; nothing measured")
        return
    with Crew(2) as crew:
        told = [measure(scene, crew) for scene in scenes_in(Path(folder))]
    table = Table("scene", "outcome", "right", "highest regular", "lowest odd", "IoU", "s", "CPU-s")
    for each in told:
        table.add_row(*_row(each.name, each.outcome.value, [each]))
    table.add_section()
    odd = np.concatenate([each.odd for each in told])
    score = np.concatenate([each.score for each in told])
    worst = np.array([MISSED[bool(each)] for each in odd])
    area = auroc(np.where(np.isfinite(score), score, worst), odd)
    table.add_row(*_row("all", f"AUC {area:.3f}", told))
    Console().print(table)


def _row(name: str, outcome: str, told: list[Told]) -> list[str]:
    odd = np.concatenate([each.odd for each in told])
    score = np.concatenate([each.score for each in told])
    right, more = sum(each.right for each in told), sum(each.more for each in told)
    return [
        name,
        outcome,
        f"{right} of {len(odd)}" + (f", {more} more" if more else ""),
        _largest(score[~odd], 1),
        _largest(score[odd], -1),
        f"{np.concatenate([each.iou for each in told]).min():.2f}",
        f"{np.median([each.seconds for each in told]):.1f}",
        f"{np.median([each.cpu_s for each in told]):.1f}",
    ]


def _largest(score: npt.NDArray[np.float64], sign: int) -> str:
    """In words; sign -1: the least."""
    known = score[np.isfinite(score)]
    return f"{sign * (sign * known).max():.2f}" if known.size else "-"
