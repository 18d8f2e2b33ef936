"""ToysAD-8K and PartsAD-15K (Odd-One-Out): one folder per scene, scene3d.metadata.json and RGB/.

An object is odd when its model's file carries a dash, as the published loader has it. Its box is
its centre and its extent along x, y, z of the object's own frame, which the published sample scene
turns by rotation_matrix, or rotation_euler; the box here is the axis-aligned one around it. A
*split.json above or beside the scenes says which are for testing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from voxgate.export.evaluation.cases import Dataset, SceneTruth
from voxgate.export.evaluation.layouts.files import files, json_object
from voxgate.runtime.errors import ScanError

SCENE = "scene3d.metadata.json"
TEST = "test"


@dataclass(frozen=True, slots=True)
class SceneFolder:
    """One scene; part is the split it belongs to."""

    source: Path
    part: str

    @property
    def name(self) -> str:
        """split/scene."""
        return f"{self.part}/{self.source.name}"

    def truth(self) -> SceneTruth:
        """Boxes and which are odd. Raises ScanError."""
        path = self.source / SCENE
        try:
            objects = json_object(path)["objects"]
            boxes = np.array([_box(each) for each in objects], np.float64).reshape(-1, 6)
            odd = np.array(["-" in PurePosixPath(each["path"]).name for each in objects], np.bool_)
        except (LookupError, TypeError, ValueError) as error:
            raise ScanError(f"{path}: objects need path and bbox ({error})") from error
        if not len(boxes):
            raise ScanError(f"{path}: no object in this scene")
        return SceneTruth(boxes, odd)


def recognises(folder: Path) -> bool:
    """A folder of scenes."""
    return next(folder.glob(f"*/{SCENE}"), None) is not None


def read(folder: Path) -> Dataset:
    """The test scenes of the split, or every scene when there is no split."""
    splits = _splits(folder)
    cases: list[SceneFolder] = []
    missing: list[str] = []
    for part, scenes in splits.items():
        for scene in scenes:
            path = folder / scene
            lacking = _lacking(path)
            if lacking:
                missing.append(f"{path}: no {' and no '.join(lacking)}")
            else:
                cases.append(SceneFolder(path, part))
    return Dataset(folder, "odd-one-out", "scene", tuple(cases), tuple(missing))


def _splits(folder: Path) -> dict[str, list[str]]:
    for path in (*sorted(folder.glob("*split*.json")), *sorted(folder.parent.glob("*split*.json"))):
        try:
            split: dict[str, Any] = json.loads(path.read_text("utf-8"))
            tests = {name: scenes for name, scenes in split.items() if TEST in name}
            chosen = {name: [str(scene) for scene in scenes] for name, scenes in tests.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise ScanError(f"{path}: no split of scenes: {error}") from error
        if any((folder / scene).exists() for scenes in chosen.values() for scene in scenes):
            return chosen
    return {"scenes": sorted(p.parent.name for p in folder.glob(f"*/{SCENE}"))}


def _lacking(scene: Path) -> list[str]:
    if not scene.is_dir():
        return ["such folder"]
    lacking = [] if (scene / SCENE).is_file() else [SCENE]
    return lacking + ([] if files(scene / "RGB", ".png", ".jpg") else ["RGB/*.png"])


def _box(entry: dict[str, Any]) -> tuple[float, ...]:
    centre, extent = (np.array(each, np.float64).reshape(3) for each in entry["bbox"])
    around = np.abs(_turn(entry)) @ extent
    return *centre.tolist(), *around.tolist()


def _turn(entry: dict[str, Any]) -> npt.NDArray[np.float64]:
    """(3, 3) of the object's frame in the world; as it stands where the scene does not say."""
    matrix = entry.get("rotation_matrix")
    if matrix is not None:
        return np.array(matrix, np.float64)[:3, :3]
    turn: npt.NDArray[np.float64] = Rotation.from_euler(
        "xyz", entry.get("rotation_euler", (0.0, 0.0, 0.0))
    ).as_matrix()
    return turn
