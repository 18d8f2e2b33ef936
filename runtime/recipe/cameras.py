"""A recipe of several cameras: the first one's files as ever, each further one's in a folder.

    manifest.json, model.onnx, viewplan.json ...   of the first of `cameras`
    cameras/ceiling/manifest.json ...              a whole recipe of the camera `ceiling`

The manifest lists every file, those in the folders too, so that one signature answers for all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from voxgate.runtime.errors import RecipeError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.recipe.manifest import CameraSection, Manifest

FOLDER = "cameras"


def files_of(camera: str, names: Collection[str]) -> tuple[str, ...]:
    """Names of a further camera's files, as the whole recipe lists them."""
    return tuple(f"{FOLDER}/{camera}/{name}" for name in names)


def own_content(camera: str, content: Mapping[str, bytes]) -> dict[str, bytes]:
    """A further camera's files, by the names that its own manifest has for them."""
    prefix = f"{FOLDER}/{camera}/"
    return {n.removeprefix(prefix): data for n, data in content.items() if n.startswith(prefix)}


def check_manifests(whole: Manifest, section: CameraSection, own: Manifest) -> None:
    """Raises ValueError unless a further camera's manifest belongs to the whole recipe's."""
    if own.cameras:
        raise ValueError(f"camera {section.name}: its recipe is of several cameras itself")
    labels = (own.name, own.version, own.part)
    if labels != (whole.name, whole.version, whole.part):
        raise ValueError(f"camera {section.name}: its manifest is of another recipe")
    if own.calibration_digest != section.calibration_digest:
        raise ValueError(f"camera {section.name}: its manifest is of another calibration")
    if own.grid.model_dump(exclude={"table_z_mm"}) != whole.grid.model_dump(exclude={"table_z_mm"}):
        raise ValueError(f"camera {section.name}: its grid is another one")
    listed = dict(zip(files_of(section.name, own.files), own.files.values(), strict=True))
    if any(whole.files.get(name) != digest for name, digest in listed.items()):
        raise ValueError(f"camera {section.name}: its files are not those that are listed")


def check_cell(label: str, taught: Manifest, cell: Mapping[str, Calibration]) -> None:
    """Raises RecipeError unless the cell's cameras are those that taught the recipe, by name, by
    calibration and by serial number."""
    sections = {section.name: section for section in taught.cameras}
    if set(sections) != set(cell):
        raise RecipeError(
            f"recipe {label} was taught by the cameras {', '.join(sections) or 'of another cell'}, "
            f"this is a cell of {', '.join(cell)}: export it from a golden scan of these"
        )
    for name, section in sections.items():
        known = cell[name]
        if known.digest != section.calibration_digest:
            raise RecipeError(
                f"recipe {label}: camera {name}: {_other(name, section, sections, known)}"
            )


def _other(
    name: str, section: CameraSection, sections: Mapping[str, CameraSection], known: Calibration
) -> str:
    """In what the calibration differs from the one that it was taught with."""
    swapped = [s.name for s in sections.values() if s.calibration_digest == known.digest]
    if swapped:
        return f"its calibration is that of camera {swapped[0]}: were they swapped?"
    if known.serial_number != section.serial_number:
        return (
            f"taught by serial number {section.serial_number}, the calibration is of "
            f"{known.serial_number}: mount that one, or take a golden scan with this one"
        )
    return "taught with another calibration: export it again from a golden scan taken with this one"
