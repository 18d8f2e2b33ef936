"""What an image is made of: size, components, pixel formats."""

from __future__ import annotations

from voxgate.sim.gentl.features.codes import COMPONENTS, PIXEL_FORMATS
from voxgate.sim.gentl.features.feature import CHOICES, Entry, Feature
from voxgate.sim.gentl.features.rows import boolean, choice, integer

_IMAGE = "ImageFormatControl"


def _formats() -> tuple[Entry, ...]:
    of = {"Coord3D": "ComponentIsRange", "Confidence": "ComponentIsConfidence"}
    return tuple(
        Entry(name, value, of.get(name.split("_")[0].rstrip("8"), "ComponentIsIntensity"))
        for name, value in PIXEL_FORMATS.items()
    )


IMAGE: tuple[Feature, ...] = (
    integer("SensorWidth", _IMAGE, "Pixels of the sensor"),
    integer("SensorHeight", _IMAGE, "Pixels of the sensor"),
    integer("WidthMax", _IMAGE, "SensorWidth less OffsetX"),
    integer("HeightMax", _IMAGE, "SensorHeight less OffsetY"),
    integer(
        "Width", _IMAGE, "Of the delivered image", "RW", low=2, high="WidthMax", step=2, locked=True
    ),
    integer(
        "Height",
        _IMAGE,
        "Of the delivered image",
        "RW",
        low=2,
        high="HeightMax",
        step=2,
        locked=True,
    ),
    integer("OffsetXMax", _IMAGE, "SensorWidth less Width"),
    integer("OffsetYMax", _IMAGE, "SensorHeight less Height"),
    integer("OffsetX", _IMAGE, "First column", "RW", low=0, high="OffsetXMax", step=2, locked=True),
    integer("OffsetY", _IMAGE, "First line", "RW", low=0, high="OffsetYMax", step=2, locked=True),
    integer("HasRange", _IMAGE, "1 if somebody delivers 3D"),
    choice(
        "ComponentSelector",
        _IMAGE,
        "What the next two are about",
        tuple(
            Entry(name, value, None if name == "Intensity" else "HasRange")
            for name, value in COMPONENTS.items()
        ),
    ),
    boolean(
        "ComponentEnable",
        _IMAGE,
        "Deliver it",
        selector="ComponentSelector",
        values=(0, 1, 0, 0, 0, 0, 0, 0),
        locked=True,
    ),
    integer(
        "ComponentIDValue",
        _IMAGE,
        "Number of the component",
        selector="ComponentSelector",
        values=tuple(range(CHOICES)),
    ),
    choice(
        "PixelFormat",
        _IMAGE,
        "Of the selected component",
        _formats(),
        selector="ComponentSelector",
        values=(
            0,
            PIXEL_FORMATS["Mono8"],
            0,
            0,
            PIXEL_FORMATS["Coord3D_ABC32f"],
            0,
            PIXEL_FORMATS["Confidence8"],
            0,
        ),
        locked=True,
    ),
)
