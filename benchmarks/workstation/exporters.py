"""Every method from its published form to verdicts: parity, ms per view, size of the recipe.

    python -m voxgate.benchmarks.workstation.exporters [--quick] [METHOD ...]

The weights are seeded, not trained: what is measured is that the recipe says what the source model
says, and what that costs; how well a method detects depends on the weights of whoever trained it.
The short form holds each graph against its model on one view, and exports nothing.
"""

from __future__ import annotations

import importlib
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from voxgate.benchmarks.places import BRACKET
from voxgate.benchmarks.workstation import one_view
from voxgate.benchmarks.workstation.case import MODULES, Case
from voxgate.runtime.engines.engine import open_engine
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.sim.box import voxgate

RUNS = 5
THREADS = 2
MB = 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """One recipe and what was measured of it."""

    case: Case
    detector: str
    parity: list[dict[str, Any]]
    ms: float
    recipe_mb: float
    verdicts: str


def main(quick: bool = False, methods: Sequence[str] = MODULES) -> None:
    """Export every seeded model, inspect a good and a bad part, print the table."""
    console = Console()
    with TemporaryDirectory() as folder:
        cases = all_cases(Path(folder), methods)
        if quick:
            console.print(one_view.table(cases))
            return
        rows = [
            measure(case, Path(folder) / "recipes" / str(number))
            for number, case in enumerate(track(cases, "export and inspect", console=console))
        ]
    console.print(table(rows))


def all_cases(folder: Path, methods: Sequence[str]) -> list[Case]:
    """The methods' full-size models; a method without one shows its small ones."""
    found: list[Case] = []
    for name in methods:
        home = folder / name
        home.mkdir(parents=True)
        cases = importlib.import_module(f"voxgate.benchmarks.workstation.seeded.{name}").cases(
            home, BRACKET / "golden"
        )
        found += [case for case in cases if not case.small] or cases
    return found


def measure(case: Case, out: Path) -> Row:
    """Export by the command line, as a user does; then the recipe alone."""
    scan = ["--scan", str(BRACKET / "golden"), "--out", str(out), "--json"]
    command = voxgate("export", *case.arguments, *scan)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VoxGateError(f"{case.name}: {done.stderr.strip() or done.stdout.strip()}")
    recipe = Recipe.load(out)
    return Row(
        case=case,
        detector=recipe.manifest.detector,
        parity=list(recipe.manifest.provenance["parity"]),
        ms=_median_ms(recipe),
        recipe_mb=sum(file.stat().st_size for file in out.iterdir()) / MB,
        verdicts=_verdicts(out),
    )


def table(rows: list[Row]) -> Table:
    """One line per recipe."""
    shown = Table(
        title="800 x 600 pictures, 12 views, seeded weights; errors against the threshold"
    )
    for column in (
        "method",
        "from",
        "shape",
        "graph: max error, verdicts",
        "ms",
        "MB",
        "good, bad",
    ):
        shown.add_column(column)
    for row in rows:
        shown.add_row(
            row.case.name,
            row.case.source,
            row.detector,
            "\n".join(_parity(graph) for graph in row.parity),
            f"{row.ms:.0f}",
            f"{row.recipe_mb:.0f}",
            row.verdicts,
        )
    return shown


def _parity(graph: dict[str, Any]) -> str:
    return f"{graph['graph']}: {graph['max_error']:.1e}, {graph['agreeing']}/{graph['scans']}"


def _median_ms(recipe: Recipe) -> float:
    """One run of the graph, on a view or on the part's voxels, after the probe warmed it up."""
    with closing(open_engine(recipe, threads=THREADS)) as engine:
        times = []
        for _ in range(RUNS):
            begun = time.perf_counter()
            engine.run(recipe.probes[0].inputs)
            times.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(times)


def _verdicts(recipe: Path) -> str:
    found = [inspect_folder(BRACKET / scan, recipe).verdict for scan in ("good", "bad")]
    return ", ".join(verdict.outcome.value for verdict in found)


if __name__ == "__main__":
    main("--quick" in sys.argv, [word for word in sys.argv[1:] if word != "--quick"] or MODULES)
