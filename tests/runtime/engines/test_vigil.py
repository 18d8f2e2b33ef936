"""An engine that says the same whatever it is shown is found out before its part passes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import tiny
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.engines.vigil import Vigil
from voxgate.runtime.errors import EngineError
from voxgate.runtime.recipe.manifest import TensorSpec

TOLERANCE = 1e-3


@dataclass
class Stuck:
    """Subtracts the pictures, until it hangs; then it says `says` for ever."""

    says: npt.NDArray[np.float32] | None = None
    backend: str = "stuck"
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    runs: int = field(default=0)

    def run(self, inputs: dict[str, Tensor]) -> npt.NDArray[np.float32]:
        self.runs += 1
        if self.says is not None:
            return self.says[None, None]
        image, reference = (inputs[name].astype(np.float32) for name in ("image", "reference"))
        score: npt.NDArray[np.float32] = np.abs(image - reference) / tiny.MAX_DIFFERENCE
        return score.astype(np.float32)

    def close(self) -> None:
        pass


def vigil(engine: Stuck) -> Vigil:
    watching = Vigil(engine, (tiny.probe(),), TOLERANCE)
    watching.start()
    return watching


def view(seed: int) -> dict[str, Tensor]:
    return dict(tiny.probe(seed).inputs)


def see(watching: Vigil, engine: Stuck, seed: int) -> None:
    inputs = view(seed)
    watching.watch((inputs["image"],), engine.run(inputs)[0, 0])


def test_an_engine_that_works_is_never_asked_again() -> None:
    engine = Stuck()
    watching = vigil(engine)
    for seed in range(5):
        see(watching, engine, seed)
    watching.finish()
    assert engine.runs == 5


def test_the_scores_of_the_view_before_are_no_scores_of_this_one() -> None:
    engine = Stuck()
    watching = vigil(engine)
    see(watching, engine, 1)
    engine.says = engine.run(view(1))[0, 0]
    with pytest.raises(EngineError, match="of the view before"):
        see(watching, engine, 2)


def test_the_same_picture_twice_may_score_the_same_twice() -> None:
    engine = Stuck()
    watching = vigil(engine)
    see(watching, engine, 1)
    see(watching, engine, 1)
    watching.finish()


@pytest.mark.parametrize("level", [0.0, 0.4])
def test_a_view_that_scores_the_same_everywhere_needs_a_proof(level: float) -> None:
    engine = Stuck()
    watching = vigil(engine)
    see(watching, engine, 1)
    engine.says = np.full(tiny.SHAPE[2:], level, np.float32)
    see(watching, engine, 2)
    with pytest.raises(EngineError, match="the same everywhere"):
        watching.finish()


def test_a_perfect_view_passes_because_the_engine_proves_itself() -> None:
    engine = Stuck()
    watching = vigil(engine)
    same = view(1)["image"]
    equal: dict[str, Tensor] = {"image": same, "reference": same}
    watching.watch((same,), engine.run(equal)[0, 0])
    watching.finish()
    assert engine.runs == 2


def test_the_doubt_of_one_part_is_none_of_the_next() -> None:
    engine = Stuck()
    watching = vigil(engine)
    watching.watch((view(1)["image"],), np.zeros(tiny.SHAPE[2:], np.float32))
    watching.start()
    watching.finish()
    assert engine.runs == 0


def test_a_model_that_is_silent_by_design_passes_by_its_silent_probe() -> None:
    silence = np.zeros(tiny.SHAPE[2:], np.float32)
    engine = Stuck(says=silence)
    watching = Vigil(engine, (replace(tiny.probe(), score=silence),), TOLERANCE)
    watching.watch((view(1)["image"],), silence)
    watching.finish()
    assert engine.runs == 1


def test_an_engine_without_a_probe_proves_nothing() -> None:
    engine = Stuck()
    watching = Vigil(engine, (), TOLERANCE)
    watching.watch((view(1)["image"],), np.zeros(tiny.SHAPE[2:], np.float32))
    with pytest.raises(EngineError, match="no probe"):
        watching.finish()
