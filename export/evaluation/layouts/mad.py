"""MAD (PAD): <class>/test/<defect>/*.png, ground_truth/<defect>/*, train/good, transforms.json.

Pictures from free viewpoints, without depth. The object is segmented by the picture's alpha
channel, else by what differs from the border's colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.export.evaluation.cases import Dataset, Picture, PictureTruth
from voxgate.export.evaluation.layouts.files import (
    any_image,
    files,
    folders,
    mask,
    named,
    read_picture,
)

BACKGROUND_GREY = 8  # levels around the border's median that are still background


@dataclass(frozen=True, slots=True)
class MadCase:
    """One test picture."""

    source: Path
    part: str

    @property
    def name(self) -> str:
        """class/defect/number."""
        return f"{self.part}/{self.defect}/{self.source.stem}"

    @property
    def defect(self) -> str:
        """The defect's folder, `good` for none."""
        return self.source.parent.name

    def picture(self) -> Picture:
        """As it is stored."""
        return Picture(read_picture(self.source))

    def truth(self) -> PictureTruth:
        """The mask and where the object is."""
        part = object_mask(any_image(self.source))
        if self.defect == "good":
            return PictureTruth(np.zeros_like(part), anomalous=False, part=part)
        found = _mask_of(self.source)
        assert found is not None  # `read` lists cases with a mask only
        return PictureTruth(mask(found), anomalous=True, part=part)


def recognises(folder: Path) -> bool:
    """The data set's folder, or one class of it; ground_truth tells it from a plain folder."""
    return any(
        (each / "ground_truth").is_dir() and any(files(p, ".png") for p in each.glob("test/*"))
        for each in (folder, *folders(folder))
    )


def read(folder: Path) -> Dataset:
    """Every test picture that has its mask."""
    classes = [folder] if (folder / "test").is_dir() else folders(folder)
    cases: list[MadCase] = []
    missing: list[str] = []
    for each in classes:
        for found in _class_cases(each):
            if isinstance(found, MadCase):
                cases.append(found)
            else:
                missing.append(found)
        wanted = ("train/good", "transforms.json")
        missing += [f"{each}: no {place}" for place in wanted if not (each / place).exists()]
    return Dataset(folder, "mad", "picture", tuple(cases), tuple(missing))


def object_mask(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """(h, w) bool, where the object is."""
    if image.ndim == 3 and image.shape[2] == 4 and np.ptp(image[..., 3]) > 0:
        opaque: npt.NDArray[np.bool_] = image[..., 3] > 0
        return opaque
    colours = image.reshape(*image.shape[:2], -1)[..., :3].astype(np.int32)
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    away = np.abs(colours - np.median(border, axis=0)).max(axis=2)
    differs: npt.NDArray[np.bool_] = away > BACKGROUND_GREY
    return differs


def _class_cases(folder: Path) -> Iterator[MadCase | str]:
    for defect in folders(folder / "test") if (folder / "test").is_dir() else []:
        for picture in files(defect, ".png"):
            if defect.name != "good" and _mask_of(picture) is None:
                yield f"{picture}: no mask in {folder / 'ground_truth' / defect.name}"
            else:
                yield MadCase(picture, folder.name)


def _mask_of(picture: Path) -> Path | None:
    place = picture.parents[2] / "ground_truth" / picture.parent.name
    return named(place, picture.stem, ".png") or named(place, f"{picture.stem}_mask", ".png")
