"""What networks find that learnt one public golden scan and nothing else, beside the reference.

    python -m voxgate.benchmarks.workstation.learnt [scans] [models] [PART ...]

Depth and voxel autoencoder and f-AnoGAN of MVTec 3D-AD by `voxgate train`, half an hour of two
cores a part type; models that are there already (PART-METHOD-SHAPE.pth), trained with a budget
perhaps, are not trained again, and a training that was killed goes on. Where the golden part itself
is as strange as anything, the export refuses: a threshold far below is named then, by which good
parts fail too, for the order of the parts is none of the threshold's. The figures are `voxgate
evaluate`'s.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.quality.detection import scans_folder
from voxgate.export.evaluation.report.tables import number
from voxgate.export.evaluation.run.evaluate import Plan, evaluate
from voxgate.export.evaluation.run.figures import TypeFigures
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.errors import VoxGateError
from voxgate.sim.box import voxgate

FURTHER: tuple[str, ...] = ()  # words to `voxgate train`, as a budget
METHODS, SHAPES = ("autoencoder", "anogan"), ("depth", "voxel")
MODELS = Path("out/learnt")
FIGURES = ("I-AUROC", "V-AUPRO@1%")
ANY = ("--threshold", "0.3")  # raw


@dataclass(frozen=True, slots=True)
class Learnt:
    """epochs: done, of those asked. refused: the export's words, where a threshold was named."""

    epochs: str
    refused: str = ""


def main(scans: str | None = None, models: str | None = None, *chosen: str) -> None:
    """Train, export, evaluate; print a row a method and part type, all of them or the chosen."""
    console = Console()
    try:
        folder = scans_folder(scans)
    except FileNotFoundError as error:
        console.print(f"learnt: skipped, {error}", soft_wrap=True)
        return
    found = sorted(path.parent.parent for path in folder.glob("*/golden/frames.jsonl"))
    parts = [part for part in found if not chosen or part.name in chosen]
    table = Table(title="of one golden scan, a part type each")
    for column in ("method", "part", "epochs", *FIGURES, "good parts, highest", "bad, lowest"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as work:
        for part in parts:
            export_reference_recipe(part / "golden", Path(work) / "reference" / part.name)
        _rows(table, "reference", {}, _figures(folder, Path(work), "reference"))
        for method, shape in product(METHODS, SHAPES):
            name = f"{method}-{shape}"
            home = Path(models or MODELS)
            learnt = {p.name: learn(p, method, shape, home, Path(work) / name) for p in parts}
            _rows(table, f"{method}, {shape}", learnt, _figures(folder, Path(work), name))
            for part_name, told in learnt.items():
                if told.refused:
                    console.print(f"{part_name}: {told.refused}", soft_wrap=True, highlight=False)
    console.print(table)


def learn(part: Path, method: str, shape: str, models: Path, shelf: Path) -> Learnt:
    """Train on the part's golden scan, export into `shelf`."""
    model, golden = models / f"{part.name}-{method}-{shape}.pth", str(part / "golden")
    if not model.exists():
        _run("train", method, "--shape", shape, "--scan", golden, "--out", str(model), *FURTHER)
    record = torch.load(model, map_location="cpu", weights_only=True)["record"]
    learnt = Learnt(f"{record['epochs']} of {record['planned epochs']}")
    words = ("export", method, "--checkpoint", str(model), "--scan", golden)
    out = ("--out", str(shelf / part.name))
    try:
        _run(*words, *out)
    except VoxGateError as error:
        _run(*words, *ANY, *out)
        return replace(learnt, refused=str(error))
    return learnt


def _run(*words: str) -> None:
    done = subprocess.run(voxgate(*words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise VoxGateError(done.stderr.strip() or done.stdout.strip())


def _figures(folder: Path, work: Path, name: str) -> Sequence[TypeFigures]:
    return evaluate(Plan(source=work / name, folder=folder, store=work / f"{name}-results")).types


def _rows(
    table: Table, method: str, learnt: Mapping[str, Learnt], types: Sequence[TypeFigures]
) -> None:
    for each in types:
        epochs = learnt[each.part].epochs if learnt else ""
        good, bad = each.outcomes.get("good", {}), each.outcomes.get("bad", {})
        table.add_row(
            *(method, each.part, epochs),
            *(number(each.figures[name]) for name in FIGURES),
            f"{max(each.good_scores):.2f}; {_said(good)}",
            f"{min(each.bad_scores):.2f}; {_said(bad)}",
        )


def _said(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
