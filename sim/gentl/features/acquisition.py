"""When it exposes: frames, exposure, trigger, and the line that triggers."""

from __future__ import annotations

from voxgate.sim.gentl.features.feature import Feature
from voxgate.sim.gentl.features.rows import boolean, choice, command, floating, integer, words

_ACQUISITION = "AcquisitionControl"

ACQUISITION: tuple[Feature, ...] = (
    choice(
        "AcquisitionMode",
        _ACQUISITION,
        "How many frames",
        words(["Continuous", "SingleFrame", "MultiFrame"]),
        locked=True,
    ),
    integer(
        "AcquisitionFrameCount",
        _ACQUISITION,
        "Frames of MultiFrame",
        "RW",
        low=1,
        high=65535,
        default=1,
        locked=True,
    ),
    command("AcquisitionStart", _ACQUISITION, "Expose from now on"),
    command("AcquisitionStop", _ACQUISITION, "Expose no more"),
    floating(
        "AcquisitionFrameRate",
        _ACQUISITION,
        "Without trigger",
        "RW",
        low=0.1,
        high=1000.0,
        unit="Hz",
        default=10.0,
    ),
    floating(
        "AcquisitionResultingFrameRate",
        _ACQUISITION,
        "What exposure and readout leave of it",
        unit="Hz",
    ),
    choice("ExposureMode", _ACQUISITION, "Who ends the exposure", words(["Timed"])),
    choice("ExposureAuto", _ACQUISITION, "Nobody but you", words(["Off"])),
    floating(
        "ExposureTime",
        _ACQUISITION,
        "Of one frame",
        "RW",
        low=1.0,
        high=10_000_000.0,
        unit="us",
        default=5_000.0,
    ),
    choice("TriggerSelector", _ACQUISITION, "What is triggered", words(["FrameStart"])),
    choice("TriggerMode", _ACQUISITION, "Wait for a trigger", words(["Off", "On"])),
    choice("TriggerSource", _ACQUISITION, "Who triggers", words(["Software", "Line1"])),
    choice(
        "TriggerActivation",
        _ACQUISITION,
        "Which edge of the line",
        words(["RisingEdge", "FallingEdge", "AnyEdge"]),
    ),
    floating(
        "TriggerDelay",
        _ACQUISITION,
        "From the trigger to the exposure",
        "RW",
        low=0.0,
        high=1_000_000.0,
        unit="us",
    ),
    command("TriggerSoftware", _ACQUISITION, "Trigger now"),
    choice("LineSelector", "DigitalIOControl", "Which line", words(["Line1"])),
    choice("LineMode", "DigitalIOControl", "Its direction", words(["Input"]), "RO"),
    boolean("LineStatus", "DigitalIOControl", "Its level", "RO"),
)
