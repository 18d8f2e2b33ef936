"""What others say, made fit for a message; their names, in the order in which a person counts."""

from __future__ import annotations

import re

MOST_CHARACTERS = 300  # of another program's words; beyond them nobody reads on

DIGITS = re.compile(r"(\d+)")  # in a name, kept apart


def legible(said: str) -> str:
    """Fit for a terminal and a log: what steers them (line breaks, ESC, the direction of writing)
    stands there as its escape, `\\n`, `\\x1b`, `\\u202e`."""
    if said.isprintable():
        return said
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in said)


def one_line(said: BaseException | str, most: int | None = MOST_CHARACTERS) -> str:
    """Legible, without line breaks, at a length that is read; an error without words has its type's
    name.

    most: characters; None: all.
    """
    line = legible(" ".join(str(said).split()))
    return (line or type(said).__name__)[:most] if isinstance(said, BaseException) else line[:most]


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key to sort names by: runs of digits by their value, the rest by letters."""
    return tuple(
        (0, int(word), "") if word.isdecimal() and word.isascii() else (1, 0, word.casefold())
        for word in DIGITS.split(name)
        if word
    )
