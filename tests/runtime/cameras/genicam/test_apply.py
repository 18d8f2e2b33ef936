"""Cameras of other names and fewer features are set as declared, or refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kits.features import Features, Node
from voxgate.runtime.cameras.genicam.apply import apply_setup, apply_stream, ptp_complaint
from voxgate.runtime.cameras.setup import CameraSetup, NodeSetting, PtpLimits, Trigger
from voxgate.runtime.errors import CameraError

LINE = {"TriggerMode": "Off", "TriggerSource": "Software"}


def _applied(setup: CameraSetup, features: Features) -> dict[str, Any]:
    """What was written, name by name."""
    return {node.name: node.value for node in apply_setup(features, setup, "camera cam0")}


@pytest.mark.parametrize("selector", ["AcquisitionStart", "LineStart"])
def test_another_trigger_than_of_a_frame_cannot_be_chosen(selector: str) -> None:
    features = Features(TriggerSelector=Node(selector, (selector,)), **LINE)
    written = _applied(CameraSetup(trigger=Trigger("Line1", selector=selector)), features)
    assert written == {
        "TriggerSelector": selector,
        "TriggerMode": "On",
        "TriggerSource": "Line1",
    }
    assert features.TriggerMode.value == "On"


def test_a_camera_without_a_frame_start_is_refused_without_a_reason() -> None:
    words = ("AcquisitionStart", "LineStart")
    features = Features(TriggerSelector=Node(words[0], words), **LINE)
    with pytest.raises(
        CameraError, match="it offers AcquisitionStart, LineStart; set trigger: selector"
    ):
        _applied(CameraSetup(trigger=Trigger("Line1")), features)


def test_a_camera_with_one_trigger_only_is_refused() -> None:
    assert _applied(CameraSetup(trigger=Trigger("Line1")), Features(**LINE)) == {
        "TriggerMode": "On",
        "TriggerSource": "Line1",
    }


def test_a_selector_that_is_asked_for_is_left_out() -> None:
    setup = CameraSetup(trigger=Trigger("Line1", selector="LineStart"))
    with pytest.raises(CameraError, match="'LineStart': the device has no such feature"):
        _applied(setup, Features(**LINE))


@pytest.mark.parametrize("status", ["GevIEEE1588Status", "GevIEEE1588StatusLatched"])
def test_ptp_under_its_older_name_is_refused(status: str) -> None:
    features = Features(GevIEEE1588=False, GevIEEE1588OffsetFromMaster=300, **{status: "Slave"})
    assert _applied(CameraSetup(ptp=PtpLimits()), features) == {"GevIEEE1588": True}
    assert features.GevIEEE1588.value is True


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"GevIEEE1588Status": "Listening"}, "GevIEEE1588Status is Listening, Slave is needed"),
        ({"GevIEEE1588OffsetFromMaster": 10**9}, "GevIEEE1588OffsetFromMaster is 1000000.0 us"),
        ({"GevIEEE1588OffsetFromMaster": None}, "GevIEEE1588OffsetFromMaster cannot be read"),
    ],
)
def test_a_lost_master_is_not_noticed_under_the_older_name(
    changes: dict[str, Any], message: str
) -> None:
    told = {"GevIEEE1588Status": "Slave", "GevIEEE1588OffsetFromMaster": 300} | changes
    complaint = ptp_complaint(Features(GevIEEE1588=True, **told), PtpLimits())
    assert complaint is not None
    assert message in complaint


def test_a_camera_without_ptp_is_refused_without_a_reason() -> None:
    with pytest.raises(CameraError, match=r"cannot set PtpEnable .*: the device has no such"):
        _applied(CameraSetup(ptp=PtpLimits()), Features())


# the data stream


@pytest.mark.parametrize("features", [Features(), None], ids=["no such feature", "no features"])
def test_a_stream_without_a_choice_of_buffers_is_refused(features: Features | None) -> None:
    apply_stream(features, "OldestFirst", (), "camera cam0")
    with pytest.raises(CameraError, match=r"StreamBufferHandlingMode .* no such feature"):
        apply_stream(features, "NewestOnly", (), "camera cam0")


def test_a_stream_that_offers_other_handling_is_taken_for_set() -> None:
    words = ("OldestFirstOverwrite", "NewestOnly")
    features = Features(StreamBufferHandlingMode=Choice(words[0], words))
    with pytest.raises(CameraError, match="it offers OldestFirstOverwrite, NewestOnly"):
        apply_stream(features, "OldestFirst", (), "camera cam0")


def test_a_feature_of_the_stream_is_not_written() -> None:
    features = Features(PacketSize=1500)
    apply_stream(features, "OldestFirst", (NodeSetting("PacketSize", 9000),), "camera cam0")
    assert features.PacketSize.value == 9000


class Choice(Node):
    """A feature that holds its words only."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "value" and "symbolics" in vars(self) and value not in self.symbolics:
            raise ValueError
        super().__setattr__(name, value)
