"""What is left after the last view where views are scored together: CPU time of ModMap, two sizes.

    python -m voxgate.benchmarks.workstation.last_view [recipes] [ENCODER ...]

Recipes that are there already (out/last_view) are not exported again.

Pairs of views that came before are held against each other while the robot moves; a view costs the
more of them the later it comes, and after the last one only its own are left.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.places import BRACKET
from voxgate.benchmarks.workstation.case import Case, at
from voxgate.benchmarks.workstation.seeded.sets.modmap import save_modmap
from voxgate.benchmarks.workstation.seeded.weights import save_backbone
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.sim.box import voxgate

MS = 1e6
RECIPES = Path("out/last_view")
PARTS = 3  # the last one is told
PICTURES = {
    "DINOv2 B/14": ("vit_base_patch14_reg4_dinov2", 768),
    "DINOv2 S/14": ("vit_small_patch14_reg4_dinov2", 384),
}
DEPTH = ("vit_small_patch16_dinov3", 384)


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time of all threads and time that went by, ms."""

    cpu_ms: float
    wall_ms: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.cpu_ms + other.cpu_ms, self.wall_ms + other.wall_ms)

    def __str__(self) -> str:
        return f"{self.cpu_ms:.0f} ({self.wall_ms:.0f})"


def main(recipes: str | None = None, *chosen: str) -> None:
    """Export, inspect, print: of all encoders, or of the chosen ones."""
    table = Table(title="ModMap, 12 views of 800 x 600 at 224 px: CPU ms (ms gone by), 2 threads")
    for column in ("encoders", "third view", "next to last", "last view", "maps, verdict", "left"):
        table.add_column(column)
    for name in chosen or PICTURES:
        recipe = Path(recipes or RECIPES) / name.replace("/", "-").replace(" ", "-")
        if not recipe.exists():
            with TemporaryDirectory() as folder:
                _export(case_of(name, Path(folder), recipe))
        spent = measured(recipe)
        shown = (spent[2], spent[-3], spent[-2], spent[-1], spent[-2] + spent[-1])
        table.add_row(f"{name} + S/16 of depth", *map(str, shown))
    Console().print(table)


def case_of(name: str, folder: Path, recipe: Path) -> Case:
    """Its files in `folder`, and how to export them into `recipe`."""
    backbone, width = PICTURES[name]
    weights = save_backbone(backbone, folder / "picture.pth", img_size=518)
    depth = save_backbone(DEPTH[0], folder / "depth.pth")
    views = len((BRACKET / "golden" / "frames.jsonl").read_text().splitlines())
    checkpoint = save_modmap(folder / "modmap.pth", views, (width, DEPTH[1]))
    return Case(
        str(recipe),
        (
            "modmap", "--checkpoint", str(checkpoint), "--weights", str(weights), "--backbone",
            backbone, "--depth-weights", str(depth), "--input-px", "224", "--depth-px", "256",
            *at(0.5),
        ),
    )  # fmt: skip


def _export(case: Case) -> None:
    scan = ["--scan", str(BRACKET / "golden"), "--out", case.name, "--json"]
    command = voxgate("export", *case.arguments, *scan)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VoxGateError(f"{case.name}: {done.stderr.strip() or done.stdout.strip()}")


def measured(folder: Path) -> list[Spent]:
    """Of every view as it comes, then of what follows the last."""
    part = open_scan(BRACKET / "good")
    views = [v for v in views_of(part, DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]
    recipe = Recipe.load(folder)
    with closing(Inspector.open(recipe, part.calibration, Limits())) as inspector:
        for _ in range(PARTS):
            inspector.start()
            spent = [_spent(partial(inspector.add, view)) for view in views]
            spent.append(_spent(inspector.finish))
    return spent


def _spent(do: Callable[[], object]) -> Spent:
    cpu_ns, begun_ns = time.process_time_ns(), time.perf_counter_ns()
    do()
    return Spent((time.process_time_ns() - cpu_ns) / MS, (time.perf_counter_ns() - begun_ns) / MS)


if __name__ == "__main__":
    main(*sys.argv[1:])
