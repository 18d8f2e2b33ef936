"""What the default detector finds on made-up part types of another kind than the public ones.

    voxgate bench made_up

Four types are rendered, each a golden part, good ones that vary as the public ones do and one bad
one of each kind, on the cameras of a public part type; the figures are `voxgate evaluate`'s.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rich.console import Console

from voxgate.benchmarks.made_up.part_types import TYPES
from voxgate.benchmarks.made_up.write import Like, write_type
from voxgate.benchmarks.quality.detection import scans_folder
from voxgate.export.evaluation.report.tables import figure_table, notes, rule_table
from voxgate.export.evaluation.run.evaluate import Plan, evaluate
from voxgate.export.reference.reference import export_reference_recipe

SEED = 4
KEEP_VARIABLE = "VOXGATE_MADE_UP"
"""A folder for the scans, to look at them or use them again."""


def main() -> None:
    """Print the figures of all types."""
    console = Console()
    try:
        public = scans_folder()
    except FileNotFoundError as error:
        console.print(f"made_up: skipped, {error}", soft_wrap=True)
        return
    with tempfile.TemporaryDirectory() as work:
        scans = Path(os.environ.get(KEEP_VARIABLE) or f"{work}/scans")
        like = Like(min(path.parent.parent for path in public.glob("*/golden/frames.jsonl")))
        for number, kind in enumerate(TYPES):
            write_type(kind, like, scans, SEED + number)
            export_reference_recipe(
                scans / kind.name / "golden", Path(work) / "recipes" / kind.name
            )
        found = evaluate(
            Plan(source=Path(work) / "recipes", folder=scans, store=Path(work) / "results", jobs=1)
        )
    console.print(figure_table(found.types, "made-up part types: from one golden scan"))
    console.print(rule_table(found.types))
    for line in notes(found):
        console.print(line, soft_wrap=True, highlight=False)
