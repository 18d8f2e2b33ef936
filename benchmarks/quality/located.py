"""Pictures without their robot: located on the golden scan, compared with the golden part there.

    python -m voxgate.benchmarks.quality.located [scans] [PART ...]

Every third picture of the public test scans, written as MAD writes its own; of bad parts those
that show a defect. The figures are those of `voxgate evaluate RECIPE PICTURES --golden SCAN`; what
could not be placed is listed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console

from voxgate.benchmarks.quality.detection import scans_folder
from voxgate.export.evaluation.layouts.files import any_image
from voxgate.export.evaluation.report.tables import figure_table
from voxgate.export.evaluation.run.evaluate import Evaluation, Plan, evaluate
from voxgate.export.reference.reference import export_reference_recipe

EVERY = 3  # of the twelve views
BAD, GOOD = "bad", "good"


def main(scans: str | None = None, *parts: str) -> None:
    """Print one table per part type."""
    console = Console()
    try:
        folder = scans_folder(scans)
    except FileNotFoundError as error:
        console.print(f"located: skipped, {error}", soft_wrap=True)
        return
    for golden in sorted(folder.glob("*/golden")):
        if not parts or golden.parent.name in parts:
            with tempfile.TemporaryDirectory() as work:
                _show(measure(golden, Path(work)), console)


def measure(golden: Path, work: Path) -> Evaluation:
    """One part type: its recipe, its pictures, their figures."""
    part = golden.parent
    pictures = work / "pictures" / part.name
    for frames in sorted(part.glob("test/*/frames.jsonl")):
        write_pictures(frames.parent, pictures)
    (pictures / "train" / GOOD).mkdir(parents=True)
    (pictures / "transforms.json").write_text("{}")
    export_reference_recipe(golden, work / "recipe")
    plan = Plan(
        source=work / "recipe", folder=pictures, store=work / "store", layout="mad",
        parts=(part.name,), golden=golden,
    )  # fmt: skip
    return evaluate(plan)


def write_pictures(scan: Path, to: Path) -> None:
    """A scan's pictures and masks, as MAD's folders hold them."""
    for line in (scan / "frames.jsonl").read_text().splitlines()[::EVERY]:
        name = Path(json.loads(line)["image"])
        shown = any_image(scan / name)
        truth = scan / "truth_masks" / f"{name.stem}.png"
        kind = BAD if truth.exists() else GOOD
        if kind == BAD:
            marked = np.asarray(any_image(truth) > 0)
            if not marked.any():
                continue  # what this view does not show is no fault of whoever judges it
            _write(to / "ground_truth" / BAD, scan, name, marked.astype(np.uint8) * 255)
        _write(to / "test" / kind, scan, name, shown)


def _write(folder: Path, scan: Path, name: Path, plane: npt.NDArray[np.uint8]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{scan.name}-{name.stem}.png"), plane)


def _show(found: Evaluation, console: Console) -> None:
    console.print(figure_table(found.types, "pictures without a robot"))
    asked = len(found.records) + len(found.failed)
    console.print(f"not placed: {len(found.failed)} of {asked}", highlight=False)
    for line in found.failed:
        console.print(line, soft_wrap=True, highlight=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
