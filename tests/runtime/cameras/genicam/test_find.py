"""Strangers in a producer's list, and our own camera twice, do not keep it from being opened."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from voxgate.runtime.cameras.genicam.binding import gentl
from voxgate.runtime.cameras.genicam.find import ListedCamera, choose, listed_cameras
from voxgate.runtime.errors import CameraError

FREE, IN_USE = 1, 4
OURS = ListedCamera(0, "4711", "Vendor", "Model", "", "GEV", ("if0", "eth0 (192.168.1.1)"), FREE)
TWIN = replace(OURS, place=1, interfaces=("if1", "eth1 (192.168.2.1)"))
STRANGER = ListedCamera(2, "", "", "", "", "", ("if1", ""), 0)


class Silent:
    """A device of which the producer tells nothing."""

    parent = SimpleNamespace(id_="if1", display_name="eth1")

    def __getattr__(self, name: str) -> object:
        raise gentl.NotImplementedException(name)


def test_a_stranger_without_a_serial_number_keeps_ours_from_opening() -> None:
    known = SimpleNamespace(
        serial_number="4711",
        vendor="Vendor",
        model="Model",
        user_defined_name="",
        tl_type="GEV",
        access_status=FREE,
        parent=SimpleNamespace(id_="if0", display_name="eth0"),
    )
    rows = listed_cameras(SimpleNamespace(device_info_list=[Silent(), known]))
    assert rows[0].serial_number == ""
    assert choose(rows, "4711", None).place == 1


@pytest.mark.parametrize(
    ("rows", "interface", "place"),
    [
        ([OURS, TWIN, STRANGER], None, 0),
        ([replace(OURS, access=IN_USE), TWIN], None, 1),
        ([OURS, TWIN], "if1", 1),
        ([OURS, TWIN], "eth0 (192.168.1.1)", 0),
        ([replace(OURS, access=IN_USE), TWIN], "if0", 0),
    ],
    ids=["either", "the free one", "by id", "by name", "though it is in use"],
)
def test_one_camera_on_two_interfaces_cannot_be_opened(
    rows: list[ListedCamera], interface: str | None, place: int
) -> None:
    assert choose(rows, "4711", interface).place == place


@pytest.mark.parametrize(
    ("rows", "interface", "message"),
    [
        ([], None, "of no camera, not one 4711"),
        ([STRANGER], None, r"\[''\], not one 4711: check cable"),
        ([OURS, TWIN], "if7", r"sees it on \['if0', 'if1'\], not on if7: correct interface"),
        (
            [OURS, replace(TWIN, model="Other")],
            None,
            r"different cameras .* \['if0', 'if1'\]: choose with interface",
        ),
    ],
)
def test_another_camera_is_opened(
    rows: list[ListedCamera], interface: str | None, message: str
) -> None:
    with pytest.raises(CameraError, match=message):
        choose(rows, "4711", interface)
