"""Every compiled kernel, compiled or loaded before the first part comes."""

from __future__ import annotations

from runtime import align, coverage, drift, fpfh, lift, register, segment
from runtime.crew import Crew


def warm_up(crew: Crew, describes: bool = False) -> None:
    """Run each step once on a few pixels: some 6 s on a new machine, a quarter from the cache.

    describes: whether the recipe's model takes shape descriptors.

    Compiled code is kept beside the sources, or in the user's cache folder where that is read-only.
    """
    lift.warm_up(crew)
    align.warm_up()
    register.warm_up(crew)
    segment.warm_up()
    coverage.warm_up()
    drift.warm_up()
    if describes:
        fpfh.warm_up(crew)
