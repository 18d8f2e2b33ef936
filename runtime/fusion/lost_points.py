"""Surface that is gone, as the fusion kernels take it: points instead of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.volume.volume import LOST_SCORE

RAY = -1  # pixel number of a point that a ray passed through

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Surface that is gone: (n, 3) mm in the part frame, scores (n,), pixel numbers (n,) or RAY."""

    at_mm: Plane
    score: Plane
    pixel: npt.NDArray[np.int32]

    @classmethod
    def of(cls, registered: Registered, geometry: bool) -> Points:
        """With geometry, vanished points score by themselves and lost ones at least LOST_SCORE,
        as far as that weighs.

        Without it only the picture speaks, where the depth is silent.
        """
        lost = np.flatnonzero(registered.lost).astype(np.int32)
        if not geometry:
            return cls(registered.lost_mm, np.zeros(lost.size, np.float32), lost)
        gone = len(registered.vanished_score)
        return cls(
            np.concatenate([registered.vanished_mm, registered.lost_mm]).astype(np.float32),
            np.concatenate(
                [
                    registered.vanished_score,
                    LOST_SCORE * registered.lost_weight,
                ]
            ).astype(np.float32),
            np.concatenate([np.full(gone, RAY, np.int32), lost]),
        )
