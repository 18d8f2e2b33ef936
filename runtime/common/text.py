"""What others say, made fit for a message."""

from __future__ import annotations

MOST_CHARACTERS = 300  # of another program's words; beyond them nobody reads on


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
