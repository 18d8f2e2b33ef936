"""Which layout a folder of a scene has."""

from __future__ import annotations

from pathlib import Path

from voxgate.runtime.errors import ScanError
from voxgate.runtime.scenes import published, scene_file
from voxgate.runtime.scenes.scene import Scene


def is_scene(folder: Path) -> bool:
    """Whether it has one of the layouts."""
    return any((folder / name).is_file() for name in (scene_file.SCENE, published.METADATA))


def open_scene(folder: Path) -> Scene:
    """A scene of either layout, every picture loaded. Raises ScanError."""
    if (folder / scene_file.SCENE).is_file():
        return scene_file.read(folder)
    if (folder / published.METADATA).is_file():
        return published.read(folder)
    if not folder.is_dir():
        raise ScanError(f"{folder}: no such folder")
    raise ScanError(
        f"{folder}: no scene: expected {scene_file.SCENE} (see docs/reference/files.md) or "
        f"{published.METADATA}"
    )
