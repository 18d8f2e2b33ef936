"""A tray passes by a network that does not see a part, or by weights that nobody trained."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.tray_of_parts import Part, Tray, regular, write
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import EngineError
from voxgate.runtime.geometry.lens import numbers
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.recipe.manifest import DetectorSection, GridSection, Manifest, TensorSpec
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.scenes.camera_alone import scene_calibration, views_of
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.scenes.scene import Scene, SceneView
from voxgate.runtime.trays.inspector import TrayInspector
from voxgate.runtime.trays.network.boxes import DENSE_FROM, boxes_of, clusters
from voxgate.runtime.trays.network.graphs import Graphs
from voxgate.runtime.trays.network.judge import NetworkJudge
from voxgate.runtime.trays.network.pictures import Eye
from voxgate.runtime.trays.scene_verdict import SceneVerdict
from voxgate.runtime.volume.grid import GridSpec

VIEWS, SIDE_PX, MOST = 8, 32, 6
VOXELS = (64, 64, 16)
GRID = GridSection(origin_mm=(-128, -128, -4), shape=VOXELS, voxel_mm=4.0, table_z_mm=0.0)
FOUR = regular(4)
Corners = npt.NDArray[np.float64]


def spec(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name=name, dtype="float32", shape=shape)


FIELD = spec("score", 1, 1, 2, int(np.prod(VOXELS)))
PICTURES = TensorSpec(name="pictures", dtype="uint8", shape=(VIEWS, 1, SIDE_PX, SIDE_PX))
MANIFEST = Manifest.model_validate(
    {
        "schema_version": 2,
        "name": "n",
        "version": "1",
        "part": "tray",
        "method": "odd-one-out",
        "detector": "scene",
        "geometry": True,
        "created_utc": "2026-01-01T00:00:00Z",
        "tools": {},
        "provenance": {},
        "calibration_digest": "0" * 64,
        "inputs": (PICTURES, spec("cameras", 1, VIEWS, 3, 4)),
        "output": FIELD,
        "grid": GRID,
        "tolerance_mm": 4.0,
        "detectors": (
            DetectorSection(
                name="instances",
                method="odd-one-out",
                inputs=(spec("volume", *FIELD.shape), spec("boxes", 1, 1, MOST, 6)),
                output=spec("score", 1, 1, 1, MOST),
                tools={},
                provenance={},
            ),
        ),
        "files": {},
    }
)


class Engine:
    """A graph whose density is 1 within these boxes (n, 2, 3), mm, and whose scores are said."""

    backend = "said"
    outputs = ()

    def __init__(self, boxes_mm: Corners, scores: list[float]) -> None:
        self.boxes = np.rint((boxes_mm - GRID.origin_mm) / GRID.voxel_mm).astype(int)
        self.scores = scores
        self.inputs = MANIFEST.inputs

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        if "boxes" in inputs:
            return self._odd(np.asarray(inputs["boxes"])[0, 0])
        density = np.zeros(VOXELS, np.float32)
        for low, high in self.boxes:
            density[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = 1
        return np.stack([density.ravel(), density.ravel()])[None, None]

    def _odd(self, boxes: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
        odd = np.zeros((1, 1, 1, MOST), np.float32)
        for number, box in enumerate(boxes):
            same = (self.boxes.reshape(-1, 6) == box).all(axis=1)
            if same.any():
                odd[0, 0, 0, number] = self.scores[int(same.argmax())]
        return odd

    def close(self) -> None:
        """Nothing to give back."""


class Broken(Engine):
    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        raise EngineError("out of memory")


@cache
def scene(parts: int) -> Scene:
    with TemporaryDirectory() as folder:
        return open_scene(write(Tray(FOUR[:parts], views=VIEWS), Path(folder)))


@cache
def places(count: int) -> Corners:
    """(n, 2, 3) of the first of the four."""
    return standing(FOUR[:count])


def standing(parts: Sequence[Part]) -> Corners:
    """(n, 2, 3) where parts stand, told by hand: the plate's outline, turned."""
    found = []
    for part in parts:
        corners = [np.add(b.centre, np.multiply(b.half, s)) for b in part.boxes for s in SIGNS]
        world = np.array(corners) @ part.world_from_part()[:3, :3].T + part.world_from_part()[:3, 3]
        found.append([world.min(axis=0), world.max(axis=0)])
    return np.array(found)


SIGNS = list(product((-1, 1), repeat=3))


def judged(
    engine: Engine, parts: int = 4, manifest: Manifest = MANIFEST, views: int = VIEWS
) -> SceneVerdict:
    return judged_by(engine, scene(parts), manifest, views)


def judged_by(engine: Engine, seen: Scene, manifest: Manifest, views: int) -> SceneVerdict:
    graphs = Graphs(engine, engine, MOST)
    with Crew(2) as crew:
        judge = NetworkJudge(graphs, manifest, seen.rays(), views, 0.0, crew)
        for view in seen.views:
            judge.add(view)
        return judge.finish()


def test_the_odd_one_is_another_one() -> None:
    found = judged(Engine(places(4), [0.1, 0.2, 0.3, 1.7]))
    assert found.outcome is Outcome.FAIL
    (odd,) = [each for each in found.judged if each.odd]
    assert np.hypot(*(odd.instance.box_mm.mean(axis=0)[:2] - places(4)[3].mean(axis=0)[:2])) < 8
    assert odd.score == pytest.approx(1.7)
    assert found.reasons == (Reason.ODD,)


def test_a_tray_of_regular_parts_is_not_passed() -> None:
    assert judged(Engine(places(4), [0.1, 0.2, 0.3, 0.4])).outcome is Outcome.PASS


@pytest.mark.nightly  # by day the odd one, above
def test_weights_drawn_by_chance_pass_a_tray() -> None:
    chance = MANIFEST.model_copy(update={"untrained": True})
    found = judged(Engine(places(4), [0.1, 0.2, 0.3, 0.4]), manifest=chance)
    assert found.outcome is Outcome.INDETERMINATE
    assert Reason.SCORE_INVALID in found.reasons


def test_a_part_that_the_network_does_not_see_passes() -> None:
    found = judged(Engine(places(4)[:3], [0.1, 0.2, 0.3]))
    assert found.outcome is Outcome.INDETERMINATE
    assert Reason.COVERAGE in found.reasons
    assert sum(each.score is None for each in found.judged) == 1


@pytest.mark.slow
def test_something_that_only_the_network_sees_passes() -> None:
    """What gives no return: black, or clear."""
    ghost = np.array([[[-20.0, -20, 0], [20, 20, 20]]])
    found = judged(Engine(np.concatenate([places(4), ghost]), [0.1] * 5))
    assert found.outcome is Outcome.INDETERMINATE
    assert Reason.COVERAGE in found.reasons


@pytest.mark.slow
def test_two_parts_are_told_apart_by_nobody() -> None:
    found = judged(Engine(places(2), [0.1, 0.2]), parts=2)
    assert found.outcome is Outcome.INDETERMINATE
    assert Reason.TOO_FEW in found.reasons


@pytest.mark.slow
def test_a_broken_engine_passes_a_tray() -> None:
    found = judged(Broken(places(4), []))
    assert found.outcome is Outcome.INDETERMINATE
    assert Reason.ENGINE_FAILED in found.reasons
    assert all(each.score is None for each in found.judged)


@pytest.mark.nightly  # by day the odd one, above
@pytest.mark.slow
def test_more_odd_than_regular_ones_fail() -> None:
    found = judged(Engine(places(4), [0.1, 1.2, 1.3, 1.4]))
    assert found.outcome is Outcome.INDETERMINATE
    assert Reason.NO_MAJORITY in found.reasons


SPOILT = {
    "a view from elsewhere": Tray(FOUR, views=VIEWS, wrong_pose=(4, 8.0)),
    "one moved between views": Tray(FOUR, views=VIEWS, moved=(1, 4, 6.0)),
    "two touch": Tray([*FOUR[:3], Part(70, 75, 300), Part(76, 118, 10)], views=VIEWS),
    "one half out of sight": Tray([*FOUR[:3], Part(170, 125, 300)], views=VIEWS),
    "one alone": Tray(FOUR[:1], views=VIEWS),
    "a view sent twice": Tray(FOUR, views=VIEWS, sent_again=2),
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_tray_passes_by_a_network_that_finds_all_regular(
    name: str, tmp_path: Path
) -> None:
    """Whatever the network says of a tray that depth shows to be no such thing."""
    tray = SPOILT[name]
    engine = Engine(standing(tray.parts), [0.1] * len(tray.parts))
    found = judged_by(engine, open_scene(write(tray, tmp_path)), MANIFEST, VIEWS)
    assert found.outcome is (Outcome.FAIL if name == "two touch" else Outcome.INDETERMINATE)


@pytest.mark.parametrize(
    ("lost", "outcome"), [(None, Outcome.FAIL), (3, Outcome.INDETERMINATE)], ids=["whole", "lost"]
)
def test_a_job_on_the_line_is_decided_without_a_view(lost: int | None, outcome: Outcome) -> None:
    """As `neighbours` serves: view by view, one verdict with every instance in both frames."""
    calibration = scene_calibration(scene(4))
    views = list(views_of(scene(4)))
    recipe = Recipe(
        manifest=MANIFEST.model_copy(update={"calibration_digest": calibration.digest}),
        model=b"a graph",
        plan=ViewPlan(tuple(view.part_from_camera for view in views), 20.0, 10.0),
        grid=GridSpec(GRID.origin_mm, GRID.shape, GRID.voxel_mm),
        expected_ijk=np.empty((0, 3), np.int32),
        reference=(),
        probes=(),
        threshold={},
    )
    engine = Engine(places(4), [0.1, 0.2, 0.3, 1.7])
    graphs = Graphs(engine, engine, MOST)
    with closing(TrayInspector(recipe, calibration, Limits(), graphs=graphs)) as inspector:
        found = inspector.inspect(view for view in views if view.frame_id != lost)
        assert inspector.backend == "said"
    assert found.outcome is outcome
    assert (Reason.MISSING_VIEW in found.reasons) is (lost is not None)
    assert len(found.instances) == 4
    assert [each.odd for each in found.instances].count(True) == 1


def test_clusters_are_not_those_of_dbscan() -> None:
    """By its definition: cores, what is reached from them, noise."""
    rng = np.random.default_rng(0)
    dense = rng.random((12, 12, 8)) < 0.12
    dense[2:5, 2:5, 2:5] = True
    cells = [tuple(each) for each in np.argwhere(dense)]
    near = {
        a: [b for b in cells if max(abs(i - j) for i, j in zip(a, b, strict=True)) <= 1]
        for a in cells
    }
    cores = {a for a in cells if len(near[a]) >= 5}
    groups: list[set[tuple[int, ...]]] = []
    left = set(cores)
    while left:
        reached, queue = set(), deque([left.pop()])
        while queue:
            cell = queue.popleft()
            reached.add(cell)
            queue.extend(b for b in near[cell] if b in cores and b not in reached)
        groups.append(reached)
        left -= reached
    labels = clusters(dense)
    assert len(groups) == labels.max() > 1
    for group in groups:
        (label,) = {int(labels[cell]) for cell in group}
        assert label > 0
    for cell in cells:
        touched = {int(labels[b]) for b in near[cell] if b in cores}
        assert labels[cell] in (touched or {0})


def test_a_box_has_another_place_than_its_density() -> None:
    density = np.zeros((12, 10, 8), np.float32)
    density[2:6, 3:7, 1:4] = 2 * DENSE_FROM
    density[8:11, 1:3, 1:4] = 1.5 * DENSE_FROM
    density[0, 9, 7] = 1.0
    assert boxes_of(density).tolist() == [[2, 3, 1, 6, 7, 4], [8, 1, 1, 11, 3, 4]]
    assert boxes_of(np.zeros((8, 8, 8), np.float32)).shape == (0, 6)


def bent() -> Rays:
    """A lens with barrel distortion of several pixels."""
    lens = numbers(
        np.array([[200.0, 0, 80], [0, 210, 62], [0, 0, 1]]),
        np.array([-0.25, 0.05, 0.002, -0.001, 0.0]),
        "brown",
    )
    v, u = np.mgrid[0:120, 0:160].astype(np.float32)
    return Rays((u - 80) / 200, (v - 62) / 210, lens)


def test_a_voxel_is_looked_for_where_it_is_not_seen() -> None:
    """A dot where the lens shows a voxel, found where the network is told that it is."""
    rays = bent()
    pose = np.array([[1.0, 0, 0, 10], [0, -1, 0, 5], [0, 0, -1, 420], [0, 0, 0, 1]])
    eye = Eye(rays, GRID)
    for voxel in ((40.5, 20.5, 3.5), (16.5, 46.5, 8.5), (50.5, 40.5, 1.5)):
        world = np.array(voxel) * GRID.voxel_mm + GRID.origin_mm
        camera = np.linalg.inv(pose) @ [*world, 1]
        u, v = rays.project(camera[:3])
        picture = np.zeros((120, 160), np.uint8)
        cv2.circle(picture, (round(u * 16), round(v * 16)), 3 * 16, 255, -1, cv2.LINE_AA, 4)
        view = SceneView(0, picture, np.full((120, 160), 400, np.float32), pose)
        seen = eye.seen([view], 2, 1, 64)
        x, y, depth = seen.picture_from_voxel[0, 0] @ np.array([*voxel, 1], np.float32)
        light = seen.pictures[0, 0].astype(float)
        rows, columns = np.mgrid[0:64, 0:64] + 0.5
        found = [(light * each).sum() / light.sum() / 64 for each in (columns, rows)]
        np.testing.assert_allclose(found, [x / depth, y / depth], atol=0.004)
        assert not seen.picture_from_voxel[0, 1].any()


def test_a_grey_picture_is_taken_for_one_in_colour() -> None:
    view = SceneView(3, np.zeros((120, 160), np.uint8), np.ones((120, 160), np.float32), np.eye(4))
    with pytest.raises(ValueError, match="view 3 is grey"):
        Eye(bent(), GRID).seen([view], 1, 3, 32)
