"""The rooms on architecture.md: what each folder says of itself in its one sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from docs.generate.json_schema import ROOT
from docs.generate.markdown import table

HOUSES = ("runtime", "export", "calib", "sim", "benchmarks")


FLOORS = re.compile(r'name = "runtime: floors.*?layers = (\[.*?\])', re.DOTALL)


def floors() -> str:
    """The floors of runtime/, from the top, as the import contract has them."""
    found = FLOORS.search((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("pyproject.toml: the contract on the floors of runtime/ is gone")
    return "\n".join(["```text", *ast.literal_eval(found[1]), "```"])


def rooms() -> str:
    """A table per house."""
    return "\n".join(_house(ROOT / name) for name in HOUSES)


def _house(folder: Path) -> str:
    said = [f"### {folder.name}/", "", _charter(folder), ""]
    rows = ((f"[`{path}`](../{path})", _charter(ROOT / path)) for path in _rooms(folder))
    return "\n".join([*said, table(("room", "what it is for"), rows)])


def _rooms(folder: Path) -> Iterator[str]:
    """Every room with a charter, rooms inside rooms after theirs."""
    for inside in sorted(folder.rglob("__init__.py")):
        if inside.parent != folder:
            yield str(inside.parent.relative_to(ROOT))


def _charter(folder: Path) -> str:
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    if not said:
        raise ValueError(f"{folder}/__init__.py: a room says in one sentence what it is for")
    return " ".join(said.split("\n\n")[0].split())
