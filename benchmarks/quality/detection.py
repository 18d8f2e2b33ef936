"""What the default detector finds from one scan: golden (real2real) and rendered (synth2real).

    python -m voxgate.benchmarks.quality.detection [scans]

The scans are the public split (a folder per part type with golden/, synth/ and test/); the figures
are `voxgate evaluate`'s.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from voxgate.export.evaluation.report.tables import figure_table, notes, rule_table, stage_table
from voxgate.export.evaluation.run.evaluate import Evaluation, Plan, evaluate
from voxgate.export.reference.reference import export_reference_recipe

SCANS_VARIABLE = "VOXGATE_SCANS"
SETUPS = {"real2real": "golden", "synth2real": "synth"}
"""Name of the paper -> folder of the one training instance."""


@dataclass(frozen=True, slots=True, eq=False)
class SetupResult:
    """All part types of one set-up; export_s by part."""

    setup: str
    export_s: dict[str, float]
    evaluation: Evaluation


def scans_folder(given: str | None = None) -> Path:
    """Where the scans are: argument, then environment.

    Raises FileNotFoundError that says how to name the folder.
    """
    folder = Path(given or os.environ.get(SCANS_VARIABLE) or ".")
    if not list(folder.glob("*/golden/frames.jsonl")):
        raise FileNotFoundError(
            f"{folder}: no <part>/golden/frames.jsonl here; name the folder of the public scans "
            f"as argument or in {SCANS_VARIABLE}"
        )
    return folder


def measure(folder: Path, work: Path, setup: str, jobs: int = 1) -> SetupResult:
    """Export a recipe per part type, then evaluate all test scans."""
    shelf, export_s = work / setup, {}
    for part in sorted(path.parent.parent for path in folder.glob("*/golden/frames.jsonl")):
        start = time.perf_counter()
        export_reference_recipe(
            part / SETUPS[setup], shelf / part.name, rendered=setup == "synth2real"
        )
        export_s[part.name] = time.perf_counter() - start
    found = evaluate(Plan(source=shelf, folder=folder, store=work / f"{setup}-results", jobs=jobs))
    return SetupResult(setup, export_s, found)


def main(scans: str | None = None) -> None:
    """Print one table per set-up."""
    console = Console()
    try:
        folder = scans_folder(scans)
    except FileNotFoundError as error:
        console.print(f"detection: skipped, {error}", soft_wrap=True)
        return
    with tempfile.TemporaryDirectory() as work:
        for setup in SETUPS:
            _show(measure(folder, Path(work), setup), console)


def _show(result: SetupResult, console: Console) -> None:
    types = result.evaluation.types
    console.print(figure_table(types, f"{result.setup}: from one {SETUPS[result.setup]} scan"))
    console.print(rule_table(types))
    console.print(stage_table(types))
    for line in notes(result.evaluation):
        console.print(line, soft_wrap=True, highlight=False)
    seconds = ", ".join(f"{part} {took:.1f} s" for part, took in result.export_s.items())
    console.print(f"export: {seconds}", highlight=False)


if __name__ == "__main__":
    main(*sys.argv[1:2])
