"""The GPU path with a mark between its stages, timed by the GPU's own events."""

from __future__ import annotations

from enum import Enum

import numpy as np

from voxgate.runtime.config.limits import Limits
from voxgate.runtime.engines.tensorrt_engine import TensorRTEngine
from voxgate.runtime.fusion.device import DeviceFusion
from voxgate.runtime.fusion.host import Described, Judge
from voxgate.runtime.fusion.lost_points import Points
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.gpu.device import Device, Moment
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import View
from voxgate.runtime.plans.flavour import Name
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe

MEASURED_PARTS = 20
WARM_UP_PARTS = 5


class Stage(str, Enum):
    """In their order."""

    UPLOAD = "upload, a view"
    ENGINE = "engine, a view"
    FUSE = "undistort, lift, fuse, a view"
    CLEAR = "clear, a part"
    COLLECT = "find occupied blocks, a part"
    DOWNLOAD = "their way to the host, a part"


class _Marked:
    """Moments between stages; read when the stream was synchronised."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._spans: list[tuple[Stage, Moment, Moment]] = []
        self._last = device.mark()

    def skip(self) -> None:
        """What was enqueued until here belongs to no stage."""
        self._last = self._device.mark()

    def end(self, stage: Stage) -> None:
        """What was enqueued since the last mark was `stage`."""
        moment = self._device.mark()
        self._spans.append((stage, self._last, moment))
        self._last = moment

    def take(self) -> dict[Stage, list[float]]:
        """Milliseconds of every passage."""
        found: dict[Stage, list[float]] = {}
        for stage, first, second in self._spans:
            found.setdefault(stage, []).append(self._device.milliseconds(first, second))
        self._spans.clear()
        return found


def measure(
    recipe: Recipe,
    calibration: Calibration,
    views: list[View],
    plans: PlanCache,
    backend: Name,
) -> dict[Stage, float]:
    """Median ms per stage. The download is part of finding the blocks: the kernel writes them into
    the host's memory."""
    described = _described(recipe, calibration, views)
    opened = Inspector.open(recipe, calibration, Limits(), backend, plans=plans)
    try:
        engine, fusion = opened.engine, opened.fusion
        assert isinstance(engine, TensorRTEngine)
        assert isinstance(fusion, DeviceFusion)
        times: dict[Stage, list[float]] = {}
        for number in range(WARM_UP_PARTS + MEASURED_PARTS):
            found = _one_part(engine, fusion, opened, described)
            for stage, ms in found.items() if number >= WARM_UP_PARTS else ():
                times.setdefault(stage, []).extend(ms)
    finally:
        opened.close()
    return {stage: float(np.median(ms)) for stage, ms in times.items()}


def _described(recipe: Recipe, calibration: Calibration, views: list[View]) -> list[Described]:
    """The views with their model inputs, as the inspector makes them."""
    kept: list[Described] = []
    opened = Inspector.open(recipe, calibration, Limits())
    try:
        add = opened.fusion.add

        def remember(described: Described, judge: Judge) -> Described:
            kept.append(add(described, judge))
            return kept[-1]

        opened.fusion.add = remember  # type: ignore[method-assign]
        opened.start()
        for view in views:
            opened.add(view)
        opened.finish()
    finally:
        opened.close()
    return kept


def _one_part(
    engine: TensorRTEngine, fusion: DeviceFusion, opened: Inspector, described: list[Described]
) -> dict[Stage, list[float]]:
    marked = _Marked(engine.device)
    opened.volume.clear()
    fusion.start()
    marked.end(Stage.CLEAR)
    for number, one in enumerate(described):
        assert one.inputs is not None
        registered = one.registered
        points = None if registered is None else Points.of(registered, geometry=True)
        depth = engine.address_of("depth_mm")
        marked.skip()
        engine.upload(one.inputs, fusion.staging)
        fusion.upload(
            None if depth else one.view.depth_mm,
            None if registered is None else registered.geometry,
            points,
        )
        marked.end(Stage.UPLOAD)
        engine.execute()
        marked.end(Stage.ENGINE)
        fusion.fuse(
            number,
            one.planned,
            one.view.part_from_camera,
            engine.address_of("score") or 0,
            depth,
            registered is not None,
            0 if points is None else len(points.pixel),
        )
        marked.end(Stage.FUSE)
    marked.skip()
    fusion.collect(opened.volume)
    marked.end(Stage.COLLECT)
    engine.device.synchronize()
    return marked.take()
