"""A box with a GPU that is not there: TensorRT, pycuda and a GPU of numpy, ready for a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from runtime import plan_recipe
from runtime.plan_builder import BuildOptions
from runtime.plan_cache import PlanCache
from runtime.plan_recipe import Outcome, build_recipe
from runtime.recipe import Recipe
from tests import fake_pycuda, fake_tensorrt
from tests.fake_tensorrt import FakeTensorRT
from tests.numpy_gpu import NumpyGpu


@dataclass
class Box:
    """What `import tensorrt` and `import pycuda.driver` find."""

    gpu: NumpyGpu
    tensorrt: FakeTensorRT


def install(monkeypatch: pytest.MonkeyPatch, version: str = "10.3") -> Box:
    """Put a GPU and TensorRT `version` into this process."""
    gpu = NumpyGpu()
    fake_pycuda.install(monkeypatch, gpu)
    # compiling is tested by itself; this GPU runs the kernels that were compiled for the host
    monkeypatch.setattr(plan_recipe, "compile_cubin", lambda source, name, sm: b"cubin")
    return Box(gpu, fake_tensorrt.install(monkeypatch, gpu, version))


def build(recipe: Recipe, plans: PlanCache, force: bool = True, **options: Any) -> Outcome:
    """`voxgate build` without its console."""
    return build_recipe(
        recipe, plans, BuildOptions(**options), lambda phase, step, steps: None, force
    )
