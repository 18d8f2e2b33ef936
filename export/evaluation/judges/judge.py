"""One case through one recipe, or through scores that were made elsewhere: a record and arrays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import (
    Case,
    Dataset,
    Kind,
    Picture,
    PictureCase,
    SceneCase,
    VolumeCase,
)
from voxgate.export.evaluation.judges.backproject import pinhole_rays, pixel_scores
from voxgate.export.evaluation.judges.fusion_rules import RULES
from voxgate.export.evaluation.judges.per_view import ListeningInspector, votes_on
from voxgate.export.evaluation.judges.regrid import onto
from voxgate.export.evaluation.layouts.convert import lifted
from voxgate.export.evaluation.metrics.labelled_volume import LabelledVolume, VoxelTruth, listed
from voxgate.export.evaluation.metrics.objects import SceneObjects
from voxgate.export.evaluation.metrics.pixels import LabelledPicture
from voxgate.export.evaluation.records import Arrays, CaseRecord, DefectRecord
from voxgate.runtime.engines.engine import (
    Engine,
    open_engine,
    open_further,
    score_map,
    score_volume,
)
from voxgate.runtime.errors import EngineError, RecipeError, VoxGateError
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.inspection.voxels import VoxelGrid
from voxgate.runtime.nouns import Verdict, View
from voxgate.runtime.offline.inspect_scan import Settings
from voxgate.runtime.recipe.manifest import Manifest
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.transforms import invert

Judged = tuple[CaseRecord, Arrays]


class Judge(Protocol):
    """Judges the cases of one part type, one after the other."""

    def judge(self, case: Case, key: str) -> Judged:
        """Raises VoxGateError for a case that cannot be read or does not fit."""

    def close(self) -> None:
        """Give everything back."""


@dataclass(slots=True)
class VolumeJudge:
    """A recipe on multi-view scans: the runtime's own inspector, listened to."""

    recipe: Recipe
    settings: Settings
    rules: bool = True
    _inspector: Inspector | None = None

    def judge(self, case: Case, key: str) -> Judged:
        """The verdict and the voxels behind it."""
        volume_case = cast(VolumeCase, case)
        begun = time.perf_counter()
        inspector = self._opened(volume_case)
        verdict = _inspected(inspector, volume_case)
        seconds = time.perf_counter() - begun
        truth, grid = volume_case.truth(), volume_case.grid()
        voxels = inspector.volume.occupied()
        ijk, score = onto(grid, voxels.ijk, voxels.score, self.recipe.grid)
        labelled, where = listed(ijk, score, truth, grid.shape)
        arrays: dict[str, npt.NDArray[Any]] = {
            "scores": labelled.scores,
            "defect_ids": labelled.defect_ids,
            "ijk": where.astype(np.int16),
        }
        part_scores: dict[str, float] = {}
        if isinstance(inspector, ListeningInspector) and grid == self.recipe.grid:
            part_scores = _by_rule(inspector, where, voxels.ijk, arrays)
        record = CaseRecord(
            key=key,
            name=case.name,
            part=case.part,
            kind="volume",
            anomalous=truth.anomalous,
            score=verdict.score or 0.0,
            scorer=inspector.scorer_score,
            outcome=verdict.outcome.value,
            reasons=tuple(dict.fromkeys(note.reason.value for note in verdict.notes)),
            coverage=verdict.coverage,
            defects=_defects(case, labelled),
            rules=part_scores,
            stage_ms=_stages(inspector),
            seconds=seconds,
        )
        return record, arrays

    def close(self) -> None:
        """The engine and its threads."""
        if self._inspector is not None:
            self._inspector.close()
            self._inspector = None

    def _opened(self, case: VolumeCase) -> Inspector:
        if self._inspector is None:
            kind = ListeningInspector if self.rules else Inspector
            self._inspector = kind.open(
                self.recipe,
                case.calibration(),
                self.settings.limits,
                self.settings.backend,
                self.settings.threads,
                now_ns=time.monotonic_ns,
            )
        return self._inspector


@dataclass(slots=True)
class PictureJudge:
    """A view detector that sees one picture (and depth): its score map, and its maximum."""

    recipe: Recipe
    settings: Settings
    _engines: list[Engine] = field(default_factory=list)

    def judge(self, case: Case, key: str) -> Judged:
        """The map over the picture, the largest of all models', with the mask."""
        if not self._engines:
            self._open()
        picture_case = cast(PictureCase, case)
        picture = picture_case.picture()
        begun = time.perf_counter()
        maps = [
            score_map(engine, _inputs(each.manifest, picture, case.name)).score
            for each, engine in zip(self.recipe.models, self._engines, strict=True)
        ]
        score = np.max(maps, axis=0)
        return _picture_record(picture_case, key, score, time.perf_counter() - begun)

    def close(self) -> None:
        """The engines, the first one last: others may share its GPU."""
        for engine in reversed(self._engines):
            engine.close()
        self._engines.clear()

    def _open(self) -> None:
        backend, threads = self.settings.backend, self.settings.threads
        first = open_engine(self.recipe, backend, threads)
        self._engines.append(first)
        self._engines += open_further(self.recipe, backend, threads, None, first).values()


@dataclass(slots=True)
class VoxelPictureJudge:
    """A volume detector on one organised cloud: its voxels' scores on the pixels they fall on."""

    recipe: Recipe
    settings: Settings
    _engine: Any = None

    def judge(self, case: Case, key: str) -> Judged:
        """The map over the picture, with the mask. Raises RecipeError without depth."""
        if self._engine is None:
            self._engine = open_engine(self.recipe, self.settings.backend, self.settings.threads)
        picture_case = cast(PictureCase, case)
        picture = picture_case.picture()
        if picture.depth_mm is None or picture.camera_matrix is None:
            raise RecipeError(f"{case.name}: a volume detector needs depth and its camera")
        begun = time.perf_counter()
        score = self._pixels(picture, picture.depth_mm, picture.camera_matrix)
        return _picture_record(picture_case, key, score, time.perf_counter() - begun)

    def close(self) -> None:
        """The engine."""
        if self._engine is not None:
            self._engine.close()

    def _pixels(
        self,
        picture: Picture,
        depth_mm: npt.NDArray[np.float32],
        camera_matrix: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float32]:
        assert self.recipe.manifest.voxels is not None  # a volume detector has them
        rays = pinhole_rays(camera_matrix, picture.image.shape)
        pose = lifted(depth_mm)
        cube = VoxelGrid(self.recipe.manifest.voxels)
        table_z_mm = self.recipe.manifest.grid.table_z_mm
        cube.add(View(0, picture.image, pose, 0.0, depth_mm), rays, np.eye(4), table_z_mm)
        tensors = cube.tensors()
        found = score_volume(self._engine, {s.name: tensors[s.name] for s in self._engine.inputs})
        ijk = np.argwhere(found > 0).astype(np.int32)
        return pixel_scores(cube.spec, ijk, found[tuple(ijk.T)], rays, invert(pose))


@dataclass(frozen=True, slots=True)
class StoredScores:
    """Scores that were made elsewhere: `<case>.npz` under one folder.

    volume: `volume` (X, Y, Z), or `ijk` (n, 3) with `score` (n,), in the truth's grid; picture:
    `map` (h, w); scene: `boxes` (m, 6) with `score` (m,). `part_score` () overrides the maximum.
    """

    folder: Path
    kind: Kind

    def judge(self, case: Case, key: str) -> Judged:
        """What the file says of the case, with what is true."""
        path = self.folder / f"{case.name}.npz"
        with _explained(path), np.load(path, allow_pickle=False) as file:
            arrays = dict(file.items())
            if self.kind == "volume":
                return _volume_record(cast(VolumeCase, case), key, arrays)
            if self.kind == "picture":
                score = arrays["map"].astype(np.float32)
                return _picture_record(cast(PictureCase, case), key, score, 0.0, arrays)
            return _scene_record(cast(SceneCase, case), key, arrays)

    def close(self) -> None:
        """Nothing is open."""


def judge_for(
    dataset: Dataset, source: Recipe | Path, settings: Settings, *, rules: bool = True
) -> Judge:
    """Who judges this data set's cases. Raises RecipeError when the recipe cannot."""
    if isinstance(source, Path):
        return StoredScores(source, dataset.kind)
    if dataset.kind == "volume":
        return VolumeJudge(source, settings, rules)
    if dataset.kind == "scene":
        raise RecipeError(
            f"{dataset.folder}: scenes need a scene detector, which recipes do not carry yet: name "
            "a folder of scores (<scene>.npz with boxes and score) in place of the recipe"
        )
    if source.manifest.detector == "volume":
        return VoxelPictureJudge(source, settings)
    return PictureJudge(source, settings)


def scene_of(arrays: Arrays) -> SceneObjects:
    """A stored scene, as its metrics take it."""
    return SceneObjects(arrays["boxes"], arrays["odd"], arrays["found"], arrays["score"])


# --- volumes ------------------------------------------------------------------------------------


def _inspected(inspector: Inspector, case: VolumeCase) -> Verdict:
    inspector.start()
    for arrival in case.arrivals():
        if isinstance(arrival, View):
            inspector.add(arrival)
        else:
            inspector.reject(arrival)
    return inspector.finish()


def _by_rule(
    inspector: ListeningInspector,
    where: npt.NDArray[np.int32],
    occupied: npt.NDArray[np.int32],
    arrays: dict[str, npt.NDArray[Any]],
) -> dict[str, float]:
    """Adds each rule's scores to the arrays; the part's score by each rule is over all voxels."""
    shape = inspector.recipe.grid.shape
    on_truth = votes_on(where, inspector.views, shape)
    on_all = votes_on(occupied, inspector.views, shape)
    part_scores = {}
    for name, rule in RULES.items():
        arrays[f"rule:{name}"] = rule(on_truth).astype(np.float32)
        part_scores[name] = float(rule(on_all).max(initial=0.0))
    return part_scores


def _stages(inspector: Inspector) -> dict[str, list[float]]:
    stages: dict[str, list[float]] = {}
    for timing in inspector.take_timings():
        stages.setdefault(timing.work.value, []).append(round(timing.took_ns / 1e6, 3))
    return stages


def _defects(case: Case, labelled: LabelledVolume) -> tuple[DefectRecord, ...]:
    named: dict[int, str] = getattr(case, "defect_types", dict)()
    sizes = labelled.defect_sizes
    return tuple(
        DefectRecord(
            id=int(number),
            type=named.get(int(number)),
            peak=labelled.peak(int(number)),
            voxels=int(sizes[number]),
        )
        for number in labelled.defects
    )


def _volume_record(case: VolumeCase, key: str, arrays: Arrays) -> Judged:
    truth: VoxelTruth = case.truth()
    if "volume" in arrays:
        dense = arrays["volume"].astype(np.float32)
        if dense.shape != case.grid().shape:
            raise ValueError(f"volume is {dense.shape}, the truth's grid {case.grid().shape}")
        ijk = np.argwhere(dense != 0).astype(np.int32)
        score = dense[tuple(ijk.T)]
    else:
        ijk, score = arrays["ijk"].astype(np.int32), arrays["score"].astype(np.float32)
    labelled, where = listed(ijk, score, truth, case.grid().shape)
    record = CaseRecord(
        key=key,
        name=case.name,
        part=case.part,
        kind="volume",
        anomalous=truth.anomalous,
        score=_part_score(arrays, score),
        defects=_defects(case, labelled),
        seconds=0.0,
    )
    return record, {
        "scores": labelled.scores,
        "defect_ids": labelled.defect_ids,
        "ijk": where.astype(np.int16),
    }


# --- pictures and scenes ------------------------------------------------------------------------


def _inputs(manifest: Manifest, picture: Picture, name: str) -> dict[str, npt.NDArray[np.generic]]:
    offered: dict[str, npt.NDArray[np.generic]] = {"image": picture.image[None, None]}
    if picture.depth_mm is not None:
        offered["depth_mm"] = np.nan_to_num(picture.depth_mm, nan=0.0)[None, None]
    needed = {spec.name: spec for spec in manifest.inputs}
    if lacking := set(needed) - set(offered):
        raise RecipeError(
            f"{name}: recipe {manifest.name} wants {', '.join(sorted(lacking))}, a single picture "
            f"has {', '.join(offered)}: choose a method that scores pictures alone"
        )
    for key, spec in needed.items():
        if offered[key].shape != spec.shape:
            raise RecipeError(
                f"{name}: {key} is {offered[key].shape[2:]}, recipe {manifest.name} takes "
                f"{spec.shape[2:]}: export it for pictures of this size"
            )
    return {key: offered[key] for key in needed}


def _picture_record(
    case: PictureCase,
    key: str,
    score: npt.NDArray[np.float32],
    seconds: float,
    stored: Arrays | None = None,
) -> Judged:
    truth = case.truth()
    LabelledPicture(score, truth.defect, truth.part)  # refuses what does not fit
    record = CaseRecord(
        key=key,
        name=case.name,
        part=case.part,
        kind="picture",
        anomalous=truth.anomalous,
        score=_part_score(stored or {}, score),
        stage_ms={"engine": [round(seconds * 1e3, 3)]},
        seconds=seconds,
    )
    arrays = {"score": score, "defect": truth.defect}
    return record, arrays if truth.part is None else {**arrays, "part": truth.part}


def _scene_record(case: SceneCase, key: str, stored: Arrays) -> Judged:
    truth = case.truth()
    arrays = {
        "boxes": truth.boxes,
        "odd": truth.odd,
        "found": stored["boxes"].astype(np.float64),
        "score": stored["score"].astype(np.float64),
    }
    scene_of(arrays)  # refuses what does not fit
    record = CaseRecord(
        key=key,
        name=case.name,
        part=case.part,
        kind="scene",
        anomalous=bool(truth.odd.any()),
        score=float(arrays["score"].max(initial=0.0)),
        seconds=0.0,
    )
    return record, arrays


def _part_score(stored: Arrays, score: npt.NDArray[np.float32]) -> float:
    return float(stored["part_score"]) if "part_score" in stored else float(score.max(initial=0.0))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise EngineError(f"{path}: no such file; every case needs its scores") from error
    except VoxGateError:
        raise
    except (OSError, KeyError, ValueError) as error:
        raise EngineError(f"{path}: {' '.join(str(error).split())}") from error
