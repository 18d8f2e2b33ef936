"""A recipe of several cameras: the first one's files as ever, each further one's in a folder.

    manifest.json, model.onnx, viewplan.json ...   of the first of `cameras`
    cameras/ceiling/manifest.json ...              a whole recipe of the camera `ceiling`

The manifest lists every file, those in the folders too, so that one signature answers for all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from voxgate.runtime.common.labels import Name, camera_names
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.recipe.sections.section import Section

FOLDER = "cameras"
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CameraSection(Section):
    """One of several cameras, and by which very device and calibration it was taught."""

    name: Name
    views: Annotated[int, Field(ge=1)] = Field(description="of the view plan that are its")
    calibration_digest: Digest
    serial_number: str | None = Field(default=None, description="none: the calibration tells none")


def check_sections(sections: Sequence[CameraSection], calibration_digest: str) -> None:
    """Raises ValueError unless they are several cameras, the first of them this calibration's."""
    if sections:
        camera_names([each.name for each in sections])
        if sections[0].calibration_digest != calibration_digest:
            raise ValueError(f"camera {sections[0].name}: the manifest is of another calibration")


def files_of(camera: str, names: Collection[str]) -> tuple[str, ...]:
    """Names of a further camera's files, as the whole recipe lists them."""
    return tuple(f"{FOLDER}/{camera}/{name}" for name in names)


def own_content(camera: str, content: Mapping[str, bytes]) -> dict[str, bytes]:
    """A further camera's files, by the names that its own manifest has for them."""
    prefix = f"{FOLDER}/{camera}/"
    return {n.removeprefix(prefix): data for n, data in content.items() if n.startswith(prefix)}


def check_cell(
    label: str, taught: Sequence[CameraSection], cell: Mapping[str, Calibration]
) -> None:
    """Raises RecipeError unless the cell's cameras are those that taught the recipe, by name, by
    calibration and by serial number."""
    sections = {section.name: section for section in taught}
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
