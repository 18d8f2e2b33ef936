"""Every compiled kernel, compiled or loaded before the first part comes."""

from __future__ import annotations

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison import align, register
from voxgate.runtime.geometry import brought, drift
from voxgate.runtime.inspection import blind_spots, fpfh
from voxgate.runtime.pixels import reduce
from voxgate.runtime.volume import carve, coverage, lift, segment, smooth


def warm_up(crew: Crew, describes: bool = False) -> None:
    """Run each step once on a few pixels: half a minute on a new machine, a second from the cache.

    describes: whether the recipe's model takes shape descriptors.

    Compiled code is kept beside the sources, or in the user's cache folder where that is read-only.
    """
    reduce.warm_up(crew)
    lift.warm_up(crew)
    brought.warm_up(crew)
    align.warm_up()
    register.warm_up(crew)
    blind_spots.warm_up()
    carve.warm_up()
    segment.warm_up()
    coverage.warm_up()
    smooth.warm_up()
    drift.warm_up()
    if describes:
        fpfh.warm_up(crew)


def main() -> None:
    """Compile them all, for processes that start side by side would each do it."""
    with Crew(1) as crew:
        warm_up(crew, describes=True)


if __name__ == "__main__":
    main()
