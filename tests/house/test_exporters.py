"""No exporter is added whose graph nobody builds."""

from __future__ import annotations

from tests.kits.repository import ROOT
from voxgate.benchmarks.workstation.case import MODULES
from voxgate.export.commands.app import COMMANDS

ELSEWHERE = {
    "reference": "tests/tensorrt/test_graphs.py",
    "odd-one-out": "tests/methods/test_odd_one_out_recipe.py",
}
"""Exporters without seeded models, and where what they write is built."""
WITHOUT_A_GRAPH = {"neighbours"}


def test_an_exporters_graph_is_built_by_no_real_tensorrt() -> None:
    """`tests/methods/test_every_graph.py` builds what `MODULES` names."""
    seeded = {module.rpartition(".")[2].replace("_", "-") for module in MODULES}
    assert set(COMMANDS) == seeded | set(ELSEWHERE) | WITHOUT_A_GRAPH
    for file in ELSEWHERE.values():
        assert "builds(" in (ROOT / file).read_text("utf-8")
