"""Which layout a folder has: its cases, or what is missing to be complete."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from voxgate.export.evaluation.cases import Dataset
from voxgate.runtime.errors import ScanError


@dataclass(frozen=True, slots=True)
class LayoutRow:
    """The module of this room with `recognises(folder)` and `read(folder)`; what it looks for."""

    module: str
    what: str


LAYOUTS: dict[str, LayoutRow] = {
    "scans": LayoutRow("scans", "<part>/test/<scan>/frames.jsonl"),
    "sim3d": LayoutRow("sim3d", "<class>/<class>_real/rgb/*.png"),
    "mvtec3d": LayoutRow("mvtec3d", "<class>/test/<defect>/xyz/*.tiff"),
    "mad": LayoutRow("mad", "<class>/test/<defect>/*.png"),
    "odd-one-out": LayoutRow("odd_one_out", "<scene>/scene3d.metadata.json"),
}


def open_dataset(folder: Path, layout: str | None = None) -> Dataset:
    """The folder's cases; without a name the layout is the first that recognises the folder.

    Raises ScanError for a folder that is none, or whose layout has no complete case; the message
    says what is missing.
    """
    if not folder.is_dir():
        raise ScanError(f"{folder}: no such folder")
    if layout is not None and layout not in LAYOUTS:
        raise ScanError(f"layout {layout!r} is unknown, choose one of {', '.join(LAYOUTS)}")
    for name in LAYOUTS if layout is None else [layout]:
        module = importlib.import_module(f"{__package__}.{LAYOUTS[name].module}")
        if layout is not None or module.recognises(folder):
            found: Dataset = module.read(folder)
            return _with_cases(found)
    known = "; ".join(f"{name}: {row.what}" for name, row in LAYOUTS.items())
    raise ScanError(
        f"{folder}: none of the known layouts ({known}): name the folder above the parts"
    )


def _with_cases(dataset: Dataset) -> Dataset:
    if dataset.cases:
        return dataset
    missing = "; ".join([*dataset.broken, *dataset.missing][:5]) or LAYOUTS[dataset.layout].what
    raise ScanError(f"{dataset.folder}: no complete case in the layout {dataset.layout}: {missing}")
