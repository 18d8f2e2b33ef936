"""ToysAD-8K and PartsAD-15K (Odd-One-Out): one folder per scene, scene3d.metadata.json and RGB/.

An object is odd when its model's file carries a dash, as the published loader has it; its box is
axis-aligned: centre, then height (y), width (x), depth (z). A *split.json above or beside the
scenes says which are for testing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

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
        except (KeyError, TypeError, ValueError) as error:
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
        except (OSError, ValueError) as error:
            raise ScanError(f"{path}: {error}") from error
        chosen = {name: [str(s) for s in scenes] for name, scenes in split.items() if TEST in name}
        if any((folder / scene).exists() for scenes in chosen.values() for scene in scenes):
            return chosen
    return {"scenes": sorted(p.parent.name for p in folder.glob(f"*/{SCENE}"))}


def _lacking(scene: Path) -> list[str]:
    if not scene.is_dir():
        return ["such folder"]
    lacking = [] if (scene / SCENE).is_file() else [SCENE]
    return lacking + ([] if files(scene / "RGB", ".png", ".jpg") else ["RGB/*.png"])


def _box(entry: dict[str, Any]) -> tuple[float, ...]:
    (x, y, z), (height, width, depth) = entry["bbox"]
    return x, y, z, width, height, depth
