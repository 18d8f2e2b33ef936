"""A silent camera is asked now and then whether it is still there, as it was set, and in time."""

from __future__ import annotations

from typing import Any

from voxgate.runtime.cameras.genicam.apply import ptp_complaint
from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS, holds
from voxgate.runtime.cameras.settings import NodeSetting
from voxgate.runtime.cameras.setup import PtpLimits
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import CameraError

LINK_CHECK_NS = 1_000_000_000  # a read of a feature shows a dead link; nothing else does


class Proof:
    """markers: what the camera must still hold. ptp: None where its time is its own."""

    def __init__(
        self, where: str, markers: tuple[NodeSetting, ...], ptp: PtpLimits | None, now_ns: int
    ) -> None:
        self._where = where
        self._markers = markers
        self._ptp = ptp
        self._link_ns = self._time_ns = now_ns

    def delivered(self, now_ns: int) -> None:
        """A buffer came: there is a link."""
        self._link_ns = now_ns

    def link(self, node_map: Any, now_ns: int) -> None:
        """A dead link delivers nothing and says nothing, but a feature access fails. A camera that
        was restarted delivers nothing either, answers, and has forgotten its settings.

        Raises CameraError for both.
        """
        if now_ns - self._link_ns < LINK_CHECK_NS:
            return
        self._link_ns = now_ns
        try:
            node_map.Width.value  # noqa: B018  the access is the test
        except GENICAM_ERRORS as e:
            raise CameraError(f"{self._where}: link is lost: {one_line(e)}") from e
        except AttributeError:
            pass  # no such feature on this camera: nothing to prove with
        for marker in self._markers:
            if not holds(node_map, marker):
                raise CameraError(
                    f"{self._where}: {marker.name} is no longer {marker.value!r}: the camera was "
                    f"restarted, or another program sets it"
                )

    def time(self, node_map: Any, now_ns: int) -> None:
        """A camera may lose its master, or become one, at any time and without a word.

        Raises CameraError then.
        """
        if self._ptp is None or now_ns - self._time_ns < LINK_CHECK_NS:
            return
        self._time_ns = now_ns
        complaint = ptp_complaint(node_map, self._ptp)
        if complaint is not None:
            raise CameraError(f"{self._where}: its time is not the master's: {complaint}")
