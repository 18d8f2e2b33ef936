"""Recipes of several models: tiny ones, and the small bracket by its shape and by its look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.kits import tiny
from voxgate.export.golden.golden import load_golden
from voxgate.export.packing.combine import combined
from voxgate.export.packing.package import RecipeParts, write_recipe
from voxgate.export.reference.filter_bank import silent
from voxgate.export.reference.reference import build_parts
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import TensorSpec

HALF = 2 * tiny.MAX_DIFFERENCE


def other_model() -> bytes:
    """As `tiny.difference_model`, half as loud."""
    model = onnx.load_from_string(tiny.difference_model())
    model.graph.initializer[0].CopyFrom(helper.make_tensor("full", TensorProto.FLOAT, [], [HALF]))
    content: bytes = model.SerializeToString()
    return content


def other_probe() -> Probe:
    """What `other_model` makes of `tiny.probe`'s pictures."""
    probe = tiny.probe()
    return replace(probe, score=probe.score / np.float32(2))


def other_parts(**changes: Any) -> RecipeParts:
    """The tiny recipe with the other model."""
    manifest = tiny.manifest(name="other", method="half", **changes.pop("manifest", {}))
    fields = {"manifest": manifest, "model": other_model(), "probes": (other_probe(),)}
    return tiny.parts(**(fields | changes))


def brightness_parts(method: str, dark: bool) -> RecipeParts:
    """A model that sees the picture alone: score = image / 255, or 1 - that."""
    nodes = [
        helper.make_node("Cast", ["image"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["a", "full"], ["bright"]),
        helper.make_node("Sub", ["one", "bright"], ["dark"]),
        helper.make_node("Identity", ["dark" if dark else "bright"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        method,
        [helper.make_tensor_value_info("image", TensorProto.UINT8, tiny.SHAPE)],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, tiny.SHAPE)],
        [
            helper.make_tensor("full", TensorProto.FLOAT, [], [tiny.MAX_DIFFERENCE]),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    image = tiny.probe().inputs["image"]
    bright = image[0, 0].astype(np.float32) / np.float32(tiny.MAX_DIFFERENCE)
    manifest = tiny.manifest(
        method=method,
        geometry=False,
        inputs=(TensorSpec(name="image", dtype="uint8", shape=tiny.SHAPE),),
    )
    return tiny.parts(
        manifest=manifest,
        model=model.SerializeToString(),
        probes=(Probe({"image": image}, 1 - bright if dark else bright),),
    )


def write_tiny(folder: Path) -> Path:
    """Tiny recipes `a/1` and `b/1`, and both in one as `both/1`, which is returned."""
    write_recipe(folder / "a" / "1", tiny.parts())
    write_recipe(folder / "b" / "1", other_parts())
    out = folder / "both" / "1"
    combined([folder / "a" / "1", folder / "b" / "1"], out, "1", name="both")
    return out


def write_shape_and_look(golden: Path, folder: Path) -> Path:
    """`shape` sees no picture, `look` compares no shape, `both` is both; returns `folder`."""
    parts = build_parts(load_golden(golden), name="bracket")
    manifest = parts.manifest
    size = manifest.output.shape
    image = TensorSpec(name="image", dtype="uint8", shape=size)
    blank = Probe({"image": np.zeros(size, np.uint8)}, np.zeros(size[2:], np.float32))
    shape = manifest.model_copy(update={"method": "shape", "inputs": (image,), "version": "1"})
    model = silent((size[2], size[3])).SerializeToString()
    write_recipe(folder / "shape", replace(parts, manifest=shape, model=model, probes=(blank,)))
    look = manifest.model_copy(update={"method": "look", "geometry": False, "version": "2"})
    write_recipe(folder / "look", replace(parts, manifest=look))
    combined([folder / "shape", folder / "look"], folder / "both", "3")
    return folder
