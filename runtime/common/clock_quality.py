"""Whether the wall clock is kept right by somebody, as the kernel was told (adjtimex(2))."""

from __future__ import annotations

import ctypes

SYNCHRONISED = "synchronised"
TIME_ERROR = 5  # returned while nobody keeps the clock
TIMEX_BYTES = 208
MAX_ERROR_AT = 24  # maxerror in struct timex, us
_LIBC = ctypes.CDLL(None)


def clock_quality() -> str:
    """For records: kept or not, and how wrong it is at most. Asks and changes nothing."""
    asked = ctypes.create_string_buffer(TIMEX_BYTES)
    if _LIBC.adjtimex(asked) in (-1, TIME_ERROR):
        return "not synchronised"
    error_us = int.from_bytes(asked.raw[MAX_ERROR_AT : MAX_ERROR_AT + 8], "little", signed=True)
    return f"{SYNCHRONISED}, at most {error_us / 1000:.1f} ms off"
