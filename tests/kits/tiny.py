"""A recipe of a few kilobytes: 24 x 32 px, two views, a model that subtracts two pictures."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from voxgate.export.packing.package import RecipeParts, ReferenceViews
from voxgate.runtime.recipe.classifier.forest import Forest
from voxgate.runtime.recipe.classifier.zone_statistics import feature_names
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import GridSection, Manifest, TensorSpec
from voxgate.runtime.recipe.scorer import Scorer
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.recipe.zones import Zones

SHAPE = (1, 1, 24, 32)
DIGEST = "0" * 64
MAX_DIFFERENCE = 255.0


def difference_model(output: str = "score", dtype: int = TensorProto.FLOAT) -> bytes:
    """score = |image - reference| / 255, float32."""
    nodes = [
        helper.make_node("Cast", ["image"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["reference"], ["b"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["size"]),
        helper.make_node("Div", ["size", "full"], ["ratio"]),
        helper.make_node("Cast", ["ratio"], [output], to=dtype),
    ]
    graph = helper.make_graph(
        nodes,
        "difference",
        [
            helper.make_tensor_value_info(name, TensorProto.UINT8, SHAPE)
            for name in ("image", "reference")
        ],
        [helper.make_tensor_value_info(output, dtype, SHAPE)],
        [helper.make_tensor("full", TensorProto.FLOAT, [], [MAX_DIFFERENCE])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def nan_model() -> bytes:
    """As `difference_model`, but equal pictures divide zero by zero."""
    model = onnx.load_from_string(difference_model())
    model.graph.initializer[0].CopyFrom(helper.make_tensor("full", TensorProto.FLOAT, [], [0.0]))
    content: bytes = model.SerializeToString()
    return content


def probe(seed: int = 0) -> Probe:
    """Two random pictures and what `difference_model` makes of them."""
    image, reference = _pictures(seed)
    score = np.abs(image.astype(np.float32) - reference) / np.float32(MAX_DIFFERENCE)
    return Probe({"image": image, "reference": reference}, score[0, 0])


def manifest(**changes: Any) -> Manifest:
    """A valid manifest, with `changes`."""
    fields: dict[str, Any] = {
        "schema_version": 1,
        "name": "tiny",
        "version": "1",
        "part": "tiny",
        "method": "difference",
        "detector": "view",
        "created_utc": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "tools": {},
        "provenance": {},
        "calibration_digest": DIGEST,
        "inputs": tuple(
            TensorSpec(name=name, dtype="uint8", shape=SHAPE) for name in ("image", "reference")
        ),
        "output": TensorSpec(name="score", dtype="float32", shape=SHAPE),
        "grid": GridSection(
            origin_mm=(-10.0, -10.0, 0.0), shape=(10, 10, 5), voxel_mm=2.0, table_z_mm=1.0
        ),
        "tolerance_mm": 0.3,
        "files": {},
    }
    return Manifest(**(fields | changes))


def parts(**changes: Any) -> RecipeParts:
    """A complete recipe, with `changes`."""
    fields: dict[str, Any] = {
        "manifest": manifest(),
        "model": difference_model(),
        "plan": ViewPlan(tuple(_poses()), max_distance_mm=5.0, max_angle_deg=2.0),
        "expected_ijk": np.array([[1, 2, 3], [4, 5, 0]], np.int32),
        "reference": _reference(),
        "probes": (probe(),),
        "threshold": {"threshold": 1.0},
    }
    return RecipeParts(**(fields | changes))


def scorer() -> Scorer:
    """One tree that looks at the model's largest score."""
    names = feature_names(("model",), Zones.whole())
    forest = Forest(
        feature=np.array([names.index("model/max"), -1, -1], np.int32),
        value=np.array([0.5, -2.0, 2.0], np.float32),
        yes=np.array([1, 0, 0], np.int32),
        no=np.array([2, 0, 0], np.int32),
        missing_yes=np.zeros(3, np.bool_),
        roots=np.array([0], np.int32),
        base=0.0,
        features=len(names),
    )
    return Scorer(forest, ("model",), names, threshold=0.5)


def _pictures(seed: int) -> npt.NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (2, *SHAPE), dtype=np.uint8)


def _poses() -> npt.NDArray[np.float64]:
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, 0, 3] = 100.0
    return poses


def _reference() -> ReferenceViews:
    counts = np.full((2, *SHAPE[2:]), 10_000, np.uint16)
    counts[:, 0] = 0
    pictures = _pictures(1)[:, 0, 0]
    return ReferenceViews(
        pictures, counts, np.zeros_like(counts), 0.05, _poses(), gloss=np.zeros_like(pictures)
    )
