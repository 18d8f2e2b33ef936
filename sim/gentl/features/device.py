"""The device itself: who it is, its temperature, its clocks, PTP."""

from __future__ import annotations

from voxgate.sim.gentl.features.codes import PTP_STATES
from voxgate.sim.gentl.features.feature import Feature
from voxgate.sim.gentl.features.rows import boolean, choice, command, floating, integer, text, words

_DEVICE = "DeviceControl"
_PTP = "PtpControl"
LARGEST_NS = 2**62

DEVICE: tuple[Feature, ...] = (
    text("DeviceVendorName", "Who made it"),
    text("DeviceModelName", "What it is"),
    text("DeviceVersion", "Version of the virtual camera"),
    text("DeviceFirmwareVersion", "Version of the producer"),
    text("DeviceSerialNumber", "What it is chosen by"),
    text("DeviceUserID", "A name of your own", "RW"),
    choice("DeviceScanType", _DEVICE, "Kind of sensor", words(["Areascan"]), "RO"),
    integer("DeviceSFNCVersionMajor", _DEVICE, "SFNC the names follow", default=2),
    integer("DeviceSFNCVersionMinor", _DEVICE, "SFNC the names follow", default=7),
    choice("DeviceTemperatureSelector", _DEVICE, "Where it is measured", words(["Mainboard"])),
    floating("DeviceTemperature", _DEVICE, "Of the mainboard", unit="C"),
    command("DeviceReset", _DEVICE, "Restart: registers as in UserSetDefault, no frames"),
    command("TimestampReset", _DEVICE, "The clock starts at 0"),
    command("TimestampLatch", _DEVICE, "Keep what the clock reads now"),
    integer("TimestampLatchValue", _DEVICE, "What it read", unit="ns", high=LARGEST_NS),
    boolean("PtpEnable", _PTP, "Follow the grandmaster of the network (IEEE 1588)"),
    command("PtpDataSetLatch", _PTP, "Keep status and offset as they are now"),
    choice("PtpStatus", _PTP, "As latched", words(PTP_STATES, 1), "RO", default=3),
    integer("PtpOffsetFromMaster", _PTP, "As latched", unit="ns", low=-LARGEST_NS, high=LARGEST_NS),
)
