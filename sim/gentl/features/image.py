"""What an image is made of: size, components, pixel formats."""

from __future__ import annotations

from voxgate.sim.gentl.features.codes import COMPONENTS, PIXEL_FORMATS
from voxgate.sim.gentl.features.feature import CHOICES, Entry, Feature, by_choice
from voxgate.sim.gentl.features.rows import boolean, choice, integer

_IMAGE = "ImageFormatControl"


def _formats() -> tuple[Entry, ...]:
    of = {
        "Coord3D_ABC32f": "ComponentIsRange",
        "Coord3D_C12p": "ComponentIs3d",
        "Coord3D_C16": "ComponentIs3d",
        "Confidence8": "ComponentIsConfidence",
    }
    return tuple(
        Entry(name, value, of.get(name, "ComponentIsIntensity"))
        for name, value in PIXEL_FORMATS.items()
    )


_THERE = {"Range": "HasRange", "Disparity": "HasDisparity", "Confidence": "Has3d"}


IMAGE: tuple[Feature, ...] = (
    integer("SensorWidth", _IMAGE, "Pixels of the sensor"),
    integer("SensorHeight", _IMAGE, "Pixels of the sensor"),
    integer("WidthMax", _IMAGE, "SensorWidth less OffsetX"),
    integer("HeightMax", _IMAGE, "SensorHeight less OffsetY"),
    integer("Width", _IMAGE, "Of the delivered image", "RW", low=2, high="WidthMax", locked=True),
    integer("Height", _IMAGE, "Of the delivered image", "RW", low=2, high="HeightMax", locked=True),
    integer("OffsetXMax", _IMAGE, "SensorWidth less Width"),
    integer("OffsetYMax", _IMAGE, "SensorHeight less Height"),
    integer("OffsetX", _IMAGE, "First column", "RW", low=0, high="OffsetXMax", step=2, locked=True),
    integer("OffsetY", _IMAGE, "First line", "RW", low=0, high="OffsetYMax", step=2, locked=True),
    integer("Has3d", _IMAGE, "1 if somebody delivers 3D"),
    integer("HasRange", _IMAGE, "1 if that is a distance"),
    integer("HasDisparity", _IMAGE, "1 if that is a disparity"),
    choice(
        "ComponentSelector",
        _IMAGE,
        "What the next two are about",
        tuple(Entry(name, value, _THERE.get(name)) for name, value in COMPONENTS.items()),
    ),
    boolean(
        "ComponentEnable",
        _IMAGE,
        "Deliver it",
        selector="ComponentSelector",
        values=by_choice({COMPONENTS["Intensity"]: 1}),
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
        values=by_choice(
            {
                COMPONENTS["Intensity"]: PIXEL_FORMATS["Mono8"],
                COMPONENTS["Range"]: PIXEL_FORMATS["Coord3D_ABC32f"],
                COMPONENTS["Confidence"]: PIXEL_FORMATS["Confidence8"],
                COMPONENTS["Disparity"]: PIXEL_FORMATS["Coord3D_C16"],
            }
        ),
        locked=True,
    ),
)
