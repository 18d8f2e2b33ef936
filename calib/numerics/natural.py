"""Names in the order in which a person counts: img_2 before img_10."""

from __future__ import annotations

import re

DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key to sort names by: runs of digits by their value, the rest by letters."""
    return tuple(
        (0, int(word), "") if word.isdecimal() and word.isascii() else (1, 0, word.casefold())
        for word in DIGITS.split(name)
        if word
    )
