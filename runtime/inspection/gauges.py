"""Whether calibration and poses still fit what the views of one part show."""

from __future__ import annotations

from voxgate.runtime.comparison.picture_drift import PictureGauge
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.geometry.drift import DriftGauge
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Drift, View


class Gauges:
    """Takes the views of one part one by one."""

    def __init__(self, rays: Rays) -> None:
        self._depth = DriftGauge(rays.shape)
        self._pictures = PictureGauge(rays)

    def clear(self) -> None:
        """Forget the last part."""
        self._depth.clear()
        self._pictures.clear()

    def add(self, view: View, registered: Registered | None) -> None:
        """One more view of it, and what comparing it gave. Raises ValueError without depth."""
        self._depth.add(view.shape)
        if registered is not None:
            self._pictures.add(view, registered)

    def measure(self) -> Drift | None:
        """Of what measures depth against the robot, as far as the views tell; None: they overlap
        too little to tell of any motion."""
        return self._depth.measure(partly=True)

    def measure_pictures(self) -> Drift | None:
        """Of the camera against the sensor beside it; None: too little texture to tell, or one."""
        return self._pictures.measure()
