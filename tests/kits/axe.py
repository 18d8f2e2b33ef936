"""What axe-core, Deque's scanner of accessibility, finds wrong with a page as it stands."""

from __future__ import annotations

import json
from importlib.resources import files

from voxgate.benchmarks.line.browser import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


def violations(tab: Page) -> dict[str, list[str]]:
    """Rules that are broken, each with the elements that break it."""
    script = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    tab.value(f"{script}; true")
    run = f"axe.run(document, {{runOnly: {json.dumps(RULES)}}})"
    said = tab.value(f"{run}.then((found) => JSON.stringify(found.violations))")
    return {broken["id"]: [node["html"] for node in broken["nodes"]] for broken in json.loads(said)}
