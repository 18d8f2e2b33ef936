"""What a GenICam camera is set to, in a cell's YAML."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voxgate.runtime.config.fields import Section, about

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]
"""A word of an enumeration, as the camera writes it."""


class TriggerSection(Section):
    """What starts an exposure."""

    source: Annotated[Word, about("Source", "TriggerSource, such as Line1 or Software")]
    activation: Annotated[
        Word | None, about("Activation", "TriggerActivation, such as RisingEdge")
    ] = None
    delay_us: Annotated[
        float | None,
        Field(ge=0, le=10_000_000),
        about("Delay", "TriggerDelay, to the start of the exposure", unit="us"),
    ] = None
    selector: Annotated[
        Word, about("Selector", "TriggerSelector, such as AcquisitionStart or LineStart")
    ] = "FrameStart"


class PtpSection(Section):
    """The camera follows the grandmaster of its network (IEEE 1588)."""

    max_offset_us: Annotated[
        float,
        about(
            "Largest offset",
            "of PtpOffsetFromMaster, or GevIEEE1588OffsetFromMaster",
            unit="us",
            low=0.01,
            high=100_000,
        ),
    ] = 100.0
    settle_ms: Annotated[
        int, about("Settle", "from PtpEnable to PtpStatus Slave", unit="ms", low=10, high=110_000)
    ] = 8000


class SetupSection(Section):
    """Written when the camera is opened, and read back: another value is an error by its name.

    What is left out stays as the camera holds it.
    """

    user_set: Annotated[
        Word | None, about("User set", "loaded first, such as Default: a known start")
    ] = None
    components: Annotated[
        dict[Word, Word],
        Field(max_length=8),
        about("Components", "exactly these are on, each with its PixelFormat"),
    ] = Field(default_factory=dict)
    exposure_us: Annotated[
        float | None, Field(ge=1, le=10_000_000), about("Exposure", "ExposureTime", unit="us")
    ] = None
    frame_rate_hz: Annotated[
        float | None,
        Field(ge=0.01, le=10_000),
        about("Frame rate", "AcquisitionFrameRate, without a trigger", unit="Hz"),
    ] = None
    trigger: Annotated[
        TriggerSection | None, about("Trigger", "of an exposure; none: as the camera holds it")
    ] = None
    chunks: Annotated[
        tuple[Word, ...],
        Field(max_length=16),
        about("Chunks", "ChunkSelector's words, such as Timestamp, ExposureTime"),
    ] = ()
    ptp: Annotated[PtpSection | None, about("PTP", "{} switches it on; none: not touched")] = None
