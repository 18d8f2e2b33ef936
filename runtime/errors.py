"""One error tree. Every message is one line that tells the person at the cell what to do next."""

from __future__ import annotations


class VoxGateError(Exception):
    """Something a person can mend; `str()` is the one line to show, never a traceback."""


class ConfigError(VoxGateError):
    """The cell's YAML is unreadable, contradicts itself or names what does not exist."""


class CalibrationError(VoxGateError):
    """Calibration file missing, malformed, or not a camera and a robot we can use."""


class ScanError(VoxGateError):
    """A recorded scan is incomplete, truncated, out of order or holds impossible numbers."""


class RecipeError(VoxGateError):
    """A recipe is missing, altered, of another schema, or made for another part or camera."""


class EngineError(VoxGateError):
    """A model cannot be loaded, does not keep its contract, or failed while running."""


class CameraError(VoxGateError):
    """A GenTL producer or a camera is missing, busy, or not set as the cell demands."""


class KeyFileError(VoxGateError):
    """A key file is missing, malformed, or open to people it must be secret to."""


class ServiceError(VoxGateError):
    """The service cannot start or cannot keep a promise: port taken, journal unwritable, ..."""


class PlanError(EngineError):
    """A TensorRT plan is missing, damaged, or built for something else than what is here."""
