"""A box with a GPU that is not there: TensorRT, pycuda and a GPU of numpy, ready for a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.kits import fake_pycuda, fake_tensorrt
from tests.kits.fake_tensorrt import FakeTensorRT, edition_of
from tests.kits.numpy_gpu import NumpyGpu
from voxgate.runtime.engines import build as plan_recipe
from voxgate.runtime.engines.build import Outcome, build_recipe
from voxgate.runtime.engines.builder import BuildOptions
from voxgate.runtime.plans import which_plan
from voxgate.runtime.plans.flavour import RTX, TENSORRT, Name
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe


@dataclass
class Box:
    """What `import tensorrt` and `import pycuda.driver` find."""

    gpu: NumpyGpu
    tensorrt: FakeTensorRT


def install(monkeypatch: pytest.MonkeyPatch, version: str = "10.3") -> Box:
    """Put a GPU and TensorRT `version` into this process."""
    gpu = NumpyGpu()
    if edition_of(version).flavour == RTX:
        gpu.capability = (8, 9)  # an Orin has no TensorRT for RTX
    fake_pycuda.install(monkeypatch, gpu)
    # compiling is tested by itself; this GPU runs the kernels that were compiled for the host
    for module in (plan_recipe, which_plan):
        monkeypatch.setattr(module, "compile_cubin", lambda source, name, sm: b"cubin")
    return Box(gpu, fake_tensorrt.install(monkeypatch, gpu, version))


def build(
    recipe: Recipe,
    plans: PlanCache,
    force: bool = True,
    flavour: Name = TENSORRT,
    **options: Any,
) -> Outcome:
    """`voxgate build` without its console."""
    return build_recipe(
        recipe, plans, BuildOptions(**options), lambda phase, step, steps: None, force, flavour
    )
