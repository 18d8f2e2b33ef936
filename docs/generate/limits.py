"""A calibration's limits and the virtual line's faults, as their code has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from docs.generate.markdown import code, sentence, table
from voxgate.calib import gates
from voxgate.sim.field import faults

STEPS = {
    "intrinsics": gates.for_voxels(gates.INTRINSICS, gates.USUAL_VOXEL_MM),
    "handeye": gates.for_voxels(gates.HANDEYE, gates.USUAL_VOXEL_MM),
    "sensor": gates.SENSOR,
    "part": gates.PART,
    "part --cad": gates.CAD,
    "verify": gates.SELF_CONSISTENCY,
}


def calibration_limits() -> str:
    """What each step of `voxgate calib` asks for before it writes."""
    return table(("step", "`--limit`", "must be", "what"), _limits())


def line_faults() -> str:
    """What `voxgate play --fault` takes, in the words of the module that reads it."""
    return "\n".join(["```text", inspect.cleandoc(faults.__doc__ or ""), "```"])


def _limits() -> Iterator[list[str]]:
    for step, limits in STEPS.items():
        for name, limit in limits.items():
            bound = f"{'at least' if limit.at_least else 'at most'} {limit.value:g} {limit.unit}"
            yield [f"`calib {step}`", code(name), bound.strip(), sentence(limit.what)]
