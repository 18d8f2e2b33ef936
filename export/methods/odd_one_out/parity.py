"""The trained network and its graphs on one tray: the same field, boxes, scores and verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.export.methods.odd_one_out.graphs import Half
from voxgate.export.trained.parity import LIMITS, SourceEngine
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.engines.engine import Engine, Tensor, deviation
from voxgate.runtime.errors import EngineError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import Manifest
from voxgate.runtime.scenes.scene import SceneView
from voxgate.runtime.trays.network.boxes import Boxes, Field, boxes_of, density_of, in_front
from voxgate.runtime.trays.network.graphs import Graphs
from voxgate.runtime.trays.network.judge import NetworkJudge
from voxgate.runtime.trays.network.pictures import Seen
from voxgate.runtime.trays.scene_verdict import SceneVerdict


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """rows: of the manifest. probes: one of each graph. verdict: on the tray itself."""

    rows: list[dict[str, Any]]
    probes: tuple[Probe, Probe]
    verdict: SceneVerdict


def original_of(halves: Sequence[Half], most: int) -> Graphs:
    """The network itself in place of its graphs."""
    before, after = (SourceEngine(half.source, half.threshold) for half in halves)
    return Graphs(before, after, most)


def prove(
    halves: tuple[Half, Half],
    engines: tuple[Engine, Engine],
    seen: Seen,
    instances: Boxes,
    views: Sequence[SceneView],
    rays: Rays,
    manifest: Manifest,
    crew: Crew,
) -> Proof:
    """instances: boxes that stand there in truth, so that the second graph is held to something
    even where the network finds none. Raises EngineError where the two differ."""
    most = halves[1].source.inputs[1].shape[2]
    original, graphs = original_of(halves, most), Graphs(*engines, most)
    first: dict[str, Tensor] = {"pictures": seen.pictures, "cameras": seen.picture_from_voxel}
    fields, row = _held("before the boxes", original.before, engines[0], first)
    was, now = (boxes_of(density_of(each, manifest.grid.shape)) for each in fields)
    if not np.array_equal(was, now):
        raise EngineError(f"the graph finds {len(now)} boxes, the network {len(was)} others")
    second: dict[str, Tensor] = {"volume": fields[1], "boxes": in_front(instances[:most], most)}
    (_, odd), other = _held("after the boxes", original.after, engines[1], second)
    verdicts = [_verdict(g, views, rays, manifest, crew) for g in (original, graphs)]
    _check_verdicts(*verdicts)
    rows = [row | {"boxes": len(was)}, other | {"instances": len(instances)}]
    probes = Probe(first, fields[1][0, 0]), Probe(second, odd[0, 0])
    return Proof(rows, probes, verdicts[1])


def _held(
    what: str, original: Engine, engine: Engine, given: dict[str, Tensor]
) -> tuple[tuple[Field, Field], dict[str, Any]]:
    """What the network gives and what its graph does, and how far apart they are."""
    was, now = original.run(given), engine.run(given)
    worst = deviation(now, was)
    if not worst <= LIMITS["fp32"]:
        raise EngineError(
            f"{what}: the graph differs from the network by {worst:.2g}, at most "
            f"{LIMITS['fp32']:g} is allowed"
        )
    return (was, now), {"graph": what, "on": engine.backend, "relative_error": worst}


def _verdict(
    graphs: Graphs, views: Sequence[SceneView], rays: Rays, manifest: Manifest, crew: Crew
) -> SceneVerdict:
    table_z_mm = manifest.grid.table_z_mm
    judge = NetworkJudge(graphs, manifest, rays, len(views), table_z_mm, crew)
    for view in views:
        judge.add(view)
    return judge.finish()


def _check_verdicts(was: SceneVerdict, now: SceneVerdict) -> None:
    scores = [[each.score for each in verdict.judged] for verdict in (was, now)]
    apart = [abs((a or 0.0) - (b or 0.0)) for a, b in zip(*scores, strict=True)]
    if (was.outcome, was.reasons) != (now.outcome, now.reasons) or max(apart, default=0.0) > 1e-3:
        raise EngineError(
            f"the verdict changes: {was.outcome.value} {scores[0]} of the network, "
            f"{now.outcome.value} {scores[1]} of its graphs"
        )
