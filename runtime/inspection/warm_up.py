"""Every compiled kernel, compiled or loaded before the first part comes."""

from __future__ import annotations

import sys

from numba.core import registry

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison import align, register
from voxgate.runtime.consensus import together
from voxgate.runtime.descriptors import fpfh, point_groups
from voxgate.runtime.geometry import brought, drift
from voxgate.runtime.inspection import blind_spots
from voxgate.runtime.pixels import reduce
from voxgate.runtime.volume import carve, coverage, lift, segment, smooth, surface

BLAS = "scipy.linalg.cython_blas"


def load_compiler() -> None:
    """numba's own start, which the first kernel would wait for. It looks for SciPy's BLAS, which
    costs more than all the rest, for products of matrices that no kernel has: it finds none."""
    hidden = BLAS not in sys.modules
    if hidden:
        sys.modules[BLAS] = None  # type: ignore[assignment]
    try:
        registry.cpu_target.target_context.refresh()
    finally:
        if hidden:
            del sys.modules[BLAS]


def warm_up(crew: Crew, describes: bool = False) -> None:
    """Run each step once on a few pixels: half a minute on a new machine, a second from the cache.

    describes: whether the recipe's model takes shape descriptors.

    Compiled code is kept beside the sources, or in the user's cache folder where that is read-only.
    """
    _half(crew)
    _other_half(crew)
    if describes:
        _describing(crew)


def _half(crew: Crew) -> None:
    """What takes as long to compile as all others with the shape descriptors."""
    register.warm_up(crew)
    lift.warm_up(crew)
    smooth.warm_up()


def _other_half(crew: Crew) -> None:
    reduce.warm_up(crew)
    brought.warm_up(crew)
    align.warm_up()
    blind_spots.warm_up()
    carve.warm_up()
    segment.warm_up()
    surface.warm_up()
    coverage.warm_up()
    drift.warm_up()
    together.warm_up()


def _describing(crew: Crew) -> None:
    fpfh.warm_up(crew)
    point_groups.warm_up()


def main() -> None:
    """Compile them all, for processes that start side by side would each do it; said `1` or `2`, a
    half of them, for two cores."""
    (which,) = sys.argv[1:] or ("both",)
    with Crew(1) as crew:
        if which != "2":
            _half(crew)
        if which != "1":
            _other_half(crew)
            _describing(crew)


if __name__ == "__main__":
    main()
