"""Numbers that standards give to words: pixel formats, components, chunks, events, PTP states."""

from __future__ import annotations

PIXEL_FORMATS = {
    "Mono8": 0x01080001,
    "Mono10": 0x01100003,
    "Mono10p": 0x010A0046,
    "Mono10Packed": 0x010C0004,
    "Mono12": 0x01100005,
    "Mono12p": 0x010C0047,
    "Mono12Packed": 0x010C0006,
    "Mono16": 0x01100007,
    "RGB8": 0x02180014,
    "BayerRG8": 0x01080009,
    "BayerRG12p": 0x010C0059,
    "BayerRG12Packed": 0x010C002B,
    "Coord3D_ABC32f": 0x026000C0,
    "Coord3D_C12p": 0x010C00DA,
    "Coord3D_C16": 0x011000B8,
    "Confidence8": 0x010800C6,
}
"""PFNC 2.1 names and values of what the camera delivers."""

COMPONENTS = {"Intensity": 1, "Range": 4, "Confidence": 6, "Disparity": 8}
"""SFNC ComponentIDValue."""

CHUNKS = {"Timestamp": 1, "FrameID": 2, "ExposureTime": 3}
EVENTS = {"ExposureEnd": 1, "FrameTriggerMissed": 2}
CHUNK_ID = 0x1000  # plus the chunk's number
EVENT_ID = 0x9000  # plus the event's number

PTP_STATES = (
    "Initializing",
    "Faulty",
    "Disabled",
    "Listening",
    "PreMaster",
    "Master",
    "Passive",
    "Uncalibrated",
    "Slave",
)
"""IEEE 1588-2008 table 8 numbers them from 1."""
