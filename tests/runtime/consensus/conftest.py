"""Who registers the views of a part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.register import warm_up


@pytest.fixture(scope="package")
def crew() -> Iterator[Crew]:
    """Of one thread, with its kernels compiled."""
    with Crew(1) as one:
        warm_up(one)
        yield one
